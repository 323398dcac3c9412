"""Production rows -> evidence that a certificate no longer holds, kept in a file from one feeding to the next.

``subject`` is the certificate, ``rows`` reads what two networks answered (``columns`` in CSV files), ``watches`` is what is
watched, ``feeding`` feeds it, ``state`` keeps it, ``report`` words it, and ``session`` is one call of the monitor.
"""
