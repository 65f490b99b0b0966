"""The knee: how much one replica takes before its answers come too late."""
