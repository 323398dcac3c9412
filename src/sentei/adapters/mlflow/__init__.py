"""Runs, variants and certified versions -> MLflow, where people look at them and serving finds them.

``connection`` finds the server or the local database, ``tracking`` writes the tree of runs, ``points`` writes numbers
once, ``served`` stores the certified bytes as a logged model, ``promotion`` decides about the alias ``champion``, and
``registry`` registers a release bundle. Everything here can be repeated after a kill and ends the same.
"""
