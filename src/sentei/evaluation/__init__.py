"""Hands on losses and cost: the served network, its 0/1 losses, MACs, bytes and latency.

What serves (`losses`, `served`, `latency`) needs numpy and onnxruntime alone; what reads a torch network (`export`,
`macs`) is imported from its own module, so that a step without torch stays without it.
"""

from sentei.evaluation.latency import Latency, measure_latency
from sentei.evaluation.losses import zero_one_losses
from sentei.evaluation.served import ServedModel

__all__ = ["Latency", "ServedModel", "measure_latency", "zero_one_losses"]
