"""Hands on the certificate: what was proven, in a form that anyone can check.

The parts are imported by name, because canonical JSON and digests are used everywhere, also where no scipy is:
``record`` (the records and ``parse``), ``decide`` (the way from losses to a decision), ``evidence``, ``issue``,
``recheck``, ``sentence`` and ``canonical``.
"""
