"""Hands on tables: files, folders and packages of examples become arrays that were checked.

``load`` reads the data set that a recipe names, ``fetch`` brings one that the network has, ``locate`` says where it
already stands.
"""

from sentei.sources.fetch import default_data_dir, fetch, locate
from sentei.sources.load import load

__all__ = ["default_data_dir", "fetch", "load", "locate"]
