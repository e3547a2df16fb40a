"""Bundles: one file that carries a release with its whole record, and is checked before it is imported."""
