"""Evidence of scaling: open-loop load, a record of what happened, and its verdict."""
