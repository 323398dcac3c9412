"""The image that every component runs in.

The name is a stand-in: ``sentei run`` and ``sentei compile`` put the one to be used in its place.
"""

IMAGE = "python-sentei:unset"
