"""A test that fills a GiB of memory, page by page."""

kept = b"x" * (1 << 30)
print(len(kept))
