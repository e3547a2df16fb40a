"""Tests in a container: the container, its services, what is copied in and out."""
