"""The mapping profiles of an installation."""
