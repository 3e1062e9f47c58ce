"""The llvm engine: a program compiled to machine code."""
