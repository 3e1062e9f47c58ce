"""Findings about filter expressions that compile, but hardly mean their author's intention."""
