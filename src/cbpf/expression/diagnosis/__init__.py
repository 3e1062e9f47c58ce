"""The explanation of expressions that cannot be compiled: places, facts and the expressions to write instead."""
