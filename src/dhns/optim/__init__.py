"""Optimizers and what steers them."""
