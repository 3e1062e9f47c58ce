"""Captures as Arrow tables: the packets as columns, and fields of their headers."""
