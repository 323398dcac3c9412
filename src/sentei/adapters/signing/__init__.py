"""Bundles, signed and checked with OpenSSF model-signing and an elliptic-curve key.

``keys`` makes and finds keys, ``signature`` signs a bundle and checks a signature, ``wish`` does as a recipe asks.
The signature is ``model.sig`` beside the bundle's manifest, in the format that the tool ``model_signing`` reads, too.
"""
