"""Structured pruning beside torch-pruning and ModelOpt's FastNAS."""
