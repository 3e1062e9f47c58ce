"""Static analysis without a solver: control flow, abstract interpretation, and execution profiles."""
