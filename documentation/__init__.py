"""Generators of documentation from the commands of `cbpf`."""
