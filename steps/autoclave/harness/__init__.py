"""Tests in a container: the container, its services, what goes in and what comes out."""
