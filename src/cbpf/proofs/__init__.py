"""Questions about all packets at once: programs as terms of an SMT solver."""
