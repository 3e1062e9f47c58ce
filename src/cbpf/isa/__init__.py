"""The instruction set: opcodes, instructions and programs, their semantics, and the rules of each dialect."""
