"""Features made from raw material by pretrained encoders."""
