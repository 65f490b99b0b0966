"""What the gateway tells of itself: readings, their history, pictures, a page. Pure: the server feeds and serves it."""
