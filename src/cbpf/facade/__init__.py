"""The public functions and classes that take a program: an expression in its place is compiled for them."""
