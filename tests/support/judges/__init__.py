"""Judges that share no code with cbpf: the results of the kernel and of libpcap."""
