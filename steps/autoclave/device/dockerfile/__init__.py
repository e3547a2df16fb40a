"""What does a Dockerfile make an image of, as the builder reads it?

The parser on PyPI (`dockerfile`) wraps that of BuildKit, but has a wheel for Linux on x86-64 alone, and reads
as one version does. This one is in Python, and was compared with BuildKit's code (tests/fixtures/dockerfile).
"""
