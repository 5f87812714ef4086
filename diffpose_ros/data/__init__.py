"""Readers of data sets, and what evaluating and training share."""
