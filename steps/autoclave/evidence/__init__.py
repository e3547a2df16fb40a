"""Records: what the steps saw and did, signed, attached to an image digest."""
