"""Releases: what is deployed, in one small file from which the overlay `k8s/overlays/own` is written, step by step."""
