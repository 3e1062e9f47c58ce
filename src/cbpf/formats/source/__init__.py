"""Instructions in the source code of C, Go, Rust and Python, in JSON, and in strace's output."""
