"""Code generation: a decision diagram as instructions."""
