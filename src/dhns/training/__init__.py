"""Lightning module, optimizers and callbacks."""
