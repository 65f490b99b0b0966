"""The commands of `tidegate-proof`, one a module: `add` says what it takes, `main` does it."""
