"""The gateway's HTTP side: application, middlewares, ops port, lifecycle."""
