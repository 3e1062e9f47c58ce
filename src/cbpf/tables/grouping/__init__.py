"""The largest groups of packets."""
