"""Animated synthetic people with exact joints, rendered off-screen (needs anny and moderngl)."""
