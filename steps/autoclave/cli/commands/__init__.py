"""The subcommands: options in, one call, exit code out."""
