"""A report of a record: pictures, tables and words."""
