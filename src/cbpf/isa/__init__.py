"""The instruction set: what a classic BPF program is, and what it means."""
