"""Capture files: pcap and pcapng, plain or compressed, read as a stream and written as they were."""
