"""The subcommands, one module each; each defines `command`."""
