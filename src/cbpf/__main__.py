"""The entry point of `python -m cbpf`, which is the command `cbpf`."""

from .cli import main

main()
