"""Capture files: pcap and pcapng, plain or compressed, read as streams and written record by record."""
