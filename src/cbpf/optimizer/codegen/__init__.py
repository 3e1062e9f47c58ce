"""Code generation: a decision diagram converted to instructions."""
