"""Negative entities drawn from the graph's own entities."""
