"""Programs as C functions."""
