"""The device repository: its file, its git, its Dockerfiles, its SOUP register, its requirements."""
