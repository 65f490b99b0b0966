"""A report of a record: pictures, tables and words; `render` makes it."""

from tidegate_proof.report.rendering import render

__all__ = ["render"]
