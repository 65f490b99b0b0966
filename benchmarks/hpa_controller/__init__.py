"""What `benchmarks/hpa_validation.py` feeds a real HorizontalPodAutoscaler with, and how it is held against ours."""
