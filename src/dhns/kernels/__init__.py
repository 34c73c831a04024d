"""Loops that torch has no single operation for, in C for the processor; everything else stays torch."""
