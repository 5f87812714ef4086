"""Metrics, benchmark protocols and calibration."""
