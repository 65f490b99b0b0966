"""What a record shows: every figure computed from raw data alone, so that anyone can compute it again."""
