"""JSON to tensors and back, as TF Serving's REST API writes them."""
