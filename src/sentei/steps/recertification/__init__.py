"""A served champion and fresh rows -> whether its claim still holds, and a new certificate if it does.

``subject`` is the champion as its bundle holds it, ``fresh`` chooses the rows, ``trial`` tests both ways on them,
``recertify`` is the step that does all of it, and ``renewed`` makes the new bundle.
"""
