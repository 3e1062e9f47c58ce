"""Programs as eBPF, for the hooks of Linux."""
