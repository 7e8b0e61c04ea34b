"""The mapping profiles of an installation: read from files, checked, planned, applied."""
