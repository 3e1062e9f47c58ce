"""The llvm engine: programs compiled to machine code by LLVM."""
