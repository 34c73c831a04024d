"""Parts for dhns that live outside of it."""
