"""One file per run; tables and plots are made of these files and of nothing else."""
