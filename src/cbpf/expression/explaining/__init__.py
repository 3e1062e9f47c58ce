"""Explanations of expressions: the part of the text that instructions belong to, and that decides about a packet."""
