"""Schedules, samplers and Gaussian mixtures: no pose, no network."""
