"""Builder of the embedded data set "World & Flags"; run ``scripts/build_world_flags.py``."""
