"""Warnings about profiles that are valid and may not do what is meant: rows, values, patterns, whole tables."""
