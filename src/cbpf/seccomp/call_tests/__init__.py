"""Tables of calls with the expected actions."""
