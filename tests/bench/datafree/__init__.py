"""Pruning without data, as published and beside plain ways, on four networks."""
