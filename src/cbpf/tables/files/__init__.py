"""Packets as files of tables."""
