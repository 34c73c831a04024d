"""Settings: where they lie, what they may be, what they mean."""
