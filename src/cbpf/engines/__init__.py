"""Engines that run a program: the interpreter, compiled Python, and machine code."""
