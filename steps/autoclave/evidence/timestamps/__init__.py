"""RFC 3161 time stamps, and the seals that carry them."""
