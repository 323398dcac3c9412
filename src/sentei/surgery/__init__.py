"""Hands on the smaller network: masked channels and merged layers leave, and the output equals the masked one's.

Still an empty room. It will take a network and its masks and hand on a network with fewer channels, merged neurons or
fewer layers, together with the history that builds it again.
"""
