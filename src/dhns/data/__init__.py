"""Batches of triples."""
