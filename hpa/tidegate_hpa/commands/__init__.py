"""The commands of `tidegate-hpa`, one module each: arguments in, text out."""
