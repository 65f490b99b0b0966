"""The web form: a page made from a model's signature, without JavaScript."""
