"""The open-loop generator: requests at intended times, whatever the answers do, and an account of its own lateness."""
