"""The engines: ways to run a program, behind one signature."""
