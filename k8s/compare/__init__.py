"""`make compare-versions`: what two versions of a model answer to the same rows, and how fast.

It asks as any client does, over the gateway's REST API. What rows look like, and what answers mean, it shares with the
load test (`loadtest/samples.py`, `signatures.py`, `answers.py`).
"""
