"""One Hydra app per command."""
