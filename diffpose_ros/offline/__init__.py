"""The same pipeline over files."""
