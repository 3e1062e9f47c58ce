"""`python -m cbpf` is the command `cbpf`."""

from .cli import main

main()
