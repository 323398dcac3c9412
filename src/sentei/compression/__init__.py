"""Hands on variants that weigh less without losing structure: sharing, coding, quantisation, low rank.

Still an empty room. It will take a network and hand on an encoded, quantised or factorised one, with the bytes it
really takes on disk.
"""
