"""What the gateway says of itself: an OpenAPI 3.1 document made from the models' signatures, and a page of it."""
