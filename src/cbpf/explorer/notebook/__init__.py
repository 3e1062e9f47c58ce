"""The explorer page in notebooks: its packets and program, its server, and the output of a cell."""
