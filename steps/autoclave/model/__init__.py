"""Plain data that all rooms share. Nothing here does I/O."""
