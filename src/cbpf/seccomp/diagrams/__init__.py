"""The exact meaning of filters, as decision diagrams."""
