"""One folder per component: ``component.py`` is a typed signature and three lines, ``component.yaml`` is generated."""
