"""DiffHEG: negative entity embeddings from a conditional diffusion model, at several levels of hardness."""
