"""A run record: the folder that a run leaves behind, its files as frozen dataclasses, their readers and writers.

`docs/reference/run-record.md` describes the files. Readers check form alone; what the figures mean is the verdict's.
"""
