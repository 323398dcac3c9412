"""sentei makes neural networks smaller and promotes one only with a proof."""

__version__ = "0.1.0"
