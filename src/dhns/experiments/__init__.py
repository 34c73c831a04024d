"""Many runs: sweeps, and the tables of the paper."""
