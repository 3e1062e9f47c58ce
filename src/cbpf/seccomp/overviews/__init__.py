"""Policies, differences and decisions for people."""
