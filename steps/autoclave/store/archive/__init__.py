"""The archives of container engines: read into a store, and written from it."""
