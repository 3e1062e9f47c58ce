"""Drawings of control-flow graphs: SVG, DOT and Mermaid."""
