"""Production rows -> evidence that a certificate no longer holds, kept in a file from one feeding to the next.

``subject`` is the certificate, ``rows`` is what two networks answered (``columns`` reads CSV), ``watches`` is what
is watched, ``feeding`` feeds it, ``state`` keeps it, ``report`` words it, ``session`` is one call of the monitor.
"""
