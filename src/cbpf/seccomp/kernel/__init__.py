"""Filters in the running kernel: installed, traced, read, and compared."""
