"""Queries: which rows of the index answer a filter, and the SQL of pages in an order."""
