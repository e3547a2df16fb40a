"""A real Kubernetes for tests, and what is tested on it."""
