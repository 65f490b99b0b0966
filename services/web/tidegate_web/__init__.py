"""Tidegate: the gateway."""
