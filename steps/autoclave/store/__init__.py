"""Where images and their records live."""
