"""What every room shares, and the main path in pipeline.py."""
