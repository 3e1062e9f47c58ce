"""Calls, conditions and sections as text."""
