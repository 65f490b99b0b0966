"""Tidegate: the models and the embedded model server."""
