"""The code generator of filter expressions: a syntax tree to the plain instructions that define its meaning."""
