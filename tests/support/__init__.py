"""Support for the tests: other implementations, generators of random inputs, and helpers."""
