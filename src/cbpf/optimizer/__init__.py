"""The optimiser: it returns a shorter or faster program with the same verdict on every packet."""
