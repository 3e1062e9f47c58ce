"""Profiles of containers."""
