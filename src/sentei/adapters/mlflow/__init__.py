"""Runs, variants and certified versions -> MLflow, where people look at them and serving finds them.

``connection`` finds the server or the local database, ``tracking`` writes the tree of runs, below the run that Kubeflow
has opened (``outer``), ``points`` writes numbers once, ``logged`` stores the certified bytes as a logged model that
``served`` describes, ``promotion`` decides about the alias ``champion``, ``registry`` registers a release bundle,
``download`` fetches what is registered, and ``webhook`` reads what MLflow sends when an alias moves. Everything here
can be repeated after a kill and ends the same.
"""
