"""Small networks on scikit-learn's digits, pruned by magnitude, with all rows that they never saw as the truth."""

from copy import deepcopy
from itertools import product

import numpy as np
from torch import nn

from sentei.data import Examples, Preprocessing
from sentei.evaluation import zero_one_losses
from sentei.evaluation.macs import count_macs
from sentei.importance import prunable_weights, score
from sentei.models import Architecture, TrainSettings, build, logits, train
from sentei.sources import load
from sentei.sparsity import allocate, apply_masks
from tests.bench.promotion.worlds import Losses, World, from_population

N_TRAIN = 597
SPARSITIES = (0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)
ALLOCATIONS = ("global", "uniform")
SETTINGS = TrainSettings(epochs=20, learning_rate=0.05, batch_size=32)


def digits(seed: int) -> World:
    """LeNet-5, trained on 597 of the 1 797 digits that the seed draws; the 1 200 others are the whole population.

    Twenty variants, without fine-tuning: ten sparsities, of all layers together and of each layer. The cost is the
    number of multiplications with weights that are not zero.
    """
    table = load({"source": "digits"})
    order = np.random.default_rng(seed).permutation(len(table))
    mine, population = (Examples(table.inputs[rows], table.labels[rows], rows) for rows in np.split(order, [N_TRAIN]))
    preprocessing = Preprocessing.of(mine)
    architecture = Architecture(name="lenet-5", input_shape=table.inputs.shape[1:], n_classes=table.n_classes)
    dense = build(architecture, seed)
    train(dense, mine, preprocessing, SETTINGS, seed)
    losses, costs = {}, {}
    for name, variant in _variants(dense, seed).items():
        losses[name] = _losses(variant, population, preprocessing)
        costs[name] = count_macs(variant, architecture.input_shape).nonzero
    dense_cost = count_macs(dense, architecture.input_shape).nonzero
    return from_population(_losses(dense, population, preprocessing), losses, costs, dense_cost)


def _variants(dense: nn.Module, seed: int) -> dict[str, nn.Module]:
    scores = score(dense, "magnitude-l1", prunable_weights(dense), seed)
    made = {}
    for sparsity, allocation in product(SPARSITIES, ALLOCATIONS):
        variant = made[f"{allocation}-{sparsity:.2f}"] = deepcopy(dense)
        apply_masks(variant, allocate(scores, sparsity, allocation))
    return made


def _losses(model: nn.Module, examples: Examples, preprocessing: Preprocessing) -> Losses:
    return zero_one_losses(np.asarray(logits(model, examples.inputs, preprocessing, 512)), examples.labels)
