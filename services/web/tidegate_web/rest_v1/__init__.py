"""TF Serving's REST API, version 1, over any Predictor.

It depends on aiohttp, the Predictor, the codec, the errors and what they ask of a request alone, so that a model server
can mount it too.
"""
