"""Runs, variants and certified versions -> MLflow, where people look at them and serving finds them.

``connection`` finds the server or the local database, ``tracking`` writes the tree of runs, ``points`` writes numbers
once, ``logged`` stores the certified bytes as a logged model that ``served`` describes, ``promotion`` decides about the
alias ``champion``, ``registry`` registers a release bundle, and ``download`` fetches what is registered. Everything
here can be repeated after a kill and ends the same.
"""
