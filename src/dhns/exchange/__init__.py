"""Graphs from the files of other programs, and vectors for them."""
