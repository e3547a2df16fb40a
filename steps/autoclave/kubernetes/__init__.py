"""What Autoclave knows about Kubernetes objects: pure functions, nothing here talks to a cluster."""
