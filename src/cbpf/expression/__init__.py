"""Filter expressions in tcpdump's language, compiled to programs."""
