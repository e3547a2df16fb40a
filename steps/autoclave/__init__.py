"""Gated pipeline steps for medical-device software, all hung on one image digest."""

__version__ = "0.1.0"
