"""Multimodal knowledge graph completion with diffusion-generated negatives."""

__version__ = "0.1.0"
