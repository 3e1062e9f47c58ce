"""Packets, verdicts and traces as text for people: used by the command line and the pytest plugin."""
