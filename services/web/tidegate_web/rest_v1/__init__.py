"""TF Serving's REST API, version 1, over any Predictor.

It depends on aiohttp, the Predictor, the codec and the errors alone, so that a model server can mount it too.
"""
