"""Filtering captures: the main job of the package."""
