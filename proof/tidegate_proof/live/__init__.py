"""A run on a real cluster: deploys, looks, loads, watches, writes it all down, and removes what it started."""
