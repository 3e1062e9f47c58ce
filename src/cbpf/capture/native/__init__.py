"""The native scanner: captures read and filtered by generated machine code, on all cores."""
