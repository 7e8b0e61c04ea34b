"""Mapping profiles in use: read from files, checked, planned, applied."""
