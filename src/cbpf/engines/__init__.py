"""Engines that run a program on packets: the interpreter, compiled Python, and machine code made by LLVM.

Each engine is a `Machine` of `isa.semantics`, which defines every instruction once. The engines differ in their words:
integers in `interpreter`, Python source text in `python`, values of LLVM's intermediate representation in `llvm`.
"""
