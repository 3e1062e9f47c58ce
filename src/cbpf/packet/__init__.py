"""Packets as programs see them: bytes, metadata, link types, batches of packets, and the memory of buffers."""
