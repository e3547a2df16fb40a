"""What every command needs: processes, redaction, options, TOML, the owner of a process."""
