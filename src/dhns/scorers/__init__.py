"""Plausibility of embedded triples; higher is truer."""
