"""The CI hosts' servers: what Autoclave tells them and reads from them. Nothing here decides a verdict."""
