"""What the processes do: the project, PyKEEN, plain dense torch, commands, the machine."""
