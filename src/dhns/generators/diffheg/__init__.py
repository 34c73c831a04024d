"""DiffHEG: a conditional diffusion model that generates negatives at several levels of hardness."""
