"""What Tables 2-3 call a model: an entity encoder and a scorer."""
