"""Generators of documentation: from the commands of `cbpf`, and from the docstrings of the package."""
