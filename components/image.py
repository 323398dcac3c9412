"""The image that every component runs in.

The name is a stand-in: ``sentei run``, ``compile`` and ``submit`` put the real, content-addressed one in its place.
"""

IMAGE = "python-sentei:unset"
