"""The optimiser: Program -> Program, with the same verdict on every packet; `pipeline` is the way."""
