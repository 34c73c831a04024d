"""Generators of negative embeddings, and the loss that trains on them."""
