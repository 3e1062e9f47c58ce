"""The inputs of a program: packets, batches of packets, and the metadata that Linux keeps beside them."""
