"""What would the device file of this repository be? Reads what is there, and writes a beginning.

Everything that is read belongs to somebody else: files are bounded, no link is followed, nothing of it runs,
and only names, numbers and plain words out of it come into the device file.
"""
