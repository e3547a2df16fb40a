"""A store in a registry."""
