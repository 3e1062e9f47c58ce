"""Judges that share no code with cbpf: what others do with a program."""
