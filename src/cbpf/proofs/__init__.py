"""Proofs with an SMT solver: equivalence, reachability, and test packets that cover a program."""
