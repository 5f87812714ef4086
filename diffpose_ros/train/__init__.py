"""Synthetic people, losses and training loops."""
