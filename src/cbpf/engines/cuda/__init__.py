"""The cuda engine: batches of packets on devices of NVIDIA."""
