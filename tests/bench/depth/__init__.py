"""Fewer layers: how many activations can go, what merging saves, and what channel pruning does at the same cost."""
