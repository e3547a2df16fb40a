"""Plain data that all rooms share: nothing here does I/O."""
