"""Gated pipeline steps for medical-device software, tied to one image digest."""

__version__ = "0.1.0"
