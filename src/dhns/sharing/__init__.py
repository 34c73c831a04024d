"""Trained models for others: a folder that holds all that it needs, and the Hugging Face hub."""
