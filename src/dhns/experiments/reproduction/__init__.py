"""Tables of the paper: which runs they need, and the driver that does what is missing."""
