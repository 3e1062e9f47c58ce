"""The debugger of programs on the packets of a capture: a session that knows no terminal, and a shell for it.

A session executes nothing itself. It keeps the steps that `VM.trace` returns for the current packet, and a position
among them, so it moves in both directions. `shell` reads commands, calls the session, and prints texts of `text`.
"""
