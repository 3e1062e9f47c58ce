"""Capture files: classic pcap in all its variants, read as a stream and written as it was."""
