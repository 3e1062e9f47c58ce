"""Live capture: packets of network interfaces, through libpcap."""
