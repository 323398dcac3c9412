"""Weights that make up for those that left: least squares, layer after layer, on rows of the scoring set."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from sentei.errors import ModelError
from sentei.importance import ScoringRows
from sentei.importance.geometry import Layer, Use
from sentei.importance.hessian import MOST_COLUMNS
from sentei.importance.places import parameter_members, parameters_by_name
from sentei.importance.reading import Watch, layers_in_use
from sentei.importance.rows import questioned
from sentei.sparsity.masking import apply_masks
from sentei.structure.groups import Keep, Structure

RIDGE = 0.01
"""Of the mean second moment of a layer's inputs: how strongly the weights that stay are held where they were."""

AT_ONCE = 2048
"""Inputs to an output for which all weights are fitted together; of more, blocks of columns take turns."""

BLOCK, N_TURNS = 512, 4
"""Columns of a block, and how often each has its turn: dearer with larger blocks, further from the best with fewer."""

ROWS_AT_ONCE, PLACES_PER_COLUMN = 128, 16
"""A layer is fitted on batches of so many rows until it was seen at so many places for each of its columns: of images
with a thousand places each, more rows would change nothing but the time."""


def reconstruct_units(
    model: nn.Module, structure: Structure, keep: Keep, rows: ScoringRows, ridge: float = RIDGE
) -> None:
    """What read the units that leave reads zeros in their place, and its other columns make up for them.

    In the order of use, every layer with weight W, which reads x in the dense network and x' in the network as it is by
    then, gets the weights V of the units that stay that minimise E ||W x - V x'||^2 over rows and positions. A
    bias is fitted with them. Grouped convolutions are left as they are.

    Args:
        model: The dense network, at its full shape; its weights and biases change in place, nothing else.
        structure: Of the network.
        keep: By group, True = keep; groups that are not named keep all of their units.
        rows: Of the scoring set.
        ridge: At least 0; V is held near W by this share of the mean E x'^2.

    Raises:
        ModelError: The structure is not that of the network, or a layer reads numbers that are not finite.

    Guarantee:
        On the rows that it is fitted on, no layer is further from what it said in the dense network than with the
        units' columns set to zero alone, given what it reads. Equal arguments give equal weights, bit for bit, on one
        machine.

    Source:
        Hassibi & Stork, 1993, for all weights that leave at once; targets from the dense network and inputs from the
        pruned one: He et al., Channel pruning, arXiv:1707.06168.
    """
    masks = _masks_of_readers(model, structure, keep)
    layers = [layer for layer in layers_in_use(model, masks, rows) if layer.n_groups == 1]
    _reconstruct(model, layers, {layer.name: masks[layer.name] for layer in layers}, rows, ridge)


def reconstruct_weights(
    model: nn.Module, masks: Mapping[str, torch.Tensor], rows: ScoringRows, ridge: float = RIDGE
) -> None:
    """The weights under a mask are zero, and those that stay in the same rows of their layers make up for them.

    As `reconstruct_units`, except that each output keeps weights of its own.

    Args:
        model: The dense network; its weights and biases change in place, nothing else.
        masks: By parameter, True = keep. Those of no linear or convolution layer are only applied.
        rows: Of the scoring set.
        ridge: At least 0; the weights are held near those of the dense network by this share of the mean E x'^2.

    Raises:
        ModelError: A mask does not fit the network, or a layer reads numbers that are not finite.

    Guarantee:
        As that of `reconstruct_units`.
    """
    _reconstruct(model, layers_in_use(model, masks, rows), masks, rows, ridge)


def _masks_of_readers(model: nn.Module, structure: Structure, keep: Keep) -> dict[str, torch.Tensor]:
    """True where a weight reads what stays; weights that lose nothing are left out."""
    parameters = parameters_by_name(model)
    masks: dict[str, torch.Tensor] = {}
    for group in structure.groups:
        for member in parameter_members(model, group):
            if member.role == "in" and group.name in keep and not keep[group.name].all():
                padded = torch.cat([torch.as_tensor(keep[group.name]), torch.ones(1, dtype=torch.bool)])
                stays = padded[torch.from_numpy(member.units)]  # unit -1 stays
                shape = [-1 if dim == member.dim else 1 for dim in range(parameters[member.tensor].dim())]
                whole = masks.get(member.tensor, torch.ones(parameters[member.tensor].shape, dtype=torch.bool))
                masks[member.tensor] = whole & stays.view(shape)
    return masks


def _reconstruct(
    model: nn.Module, layers: Sequence[Layer], masks: Mapping[str, torch.Tensor], rows: ScoringRows, ridge: float
) -> None:
    if ridge < 0:
        raise ValueError(f"expected a ridge of 0 or more, received {ridge}")
    dense = copy.deepcopy(model)
    apply_masks(model, masks)
    masked = {id(parameter) for name, parameter in parameters_by_name(model).items() if name in masks}
    for layer in layers:
        if layer.n_columns <= MOST_COLUMNS and not bool(masks[layer.name].all()):
            sums = _Sums.over(dense, model, layer, rows)
            free = isinstance(sums.bias, nn.Parameter) and id(sums.bias) not in masked
            _refit(dense, model, sums, masks[layer.name], ridge, centred=free)


def _refit(dense: nn.Module, model: nn.Module, sums: "_Sums", keep: torch.Tensor, ridge: float, centred: bool) -> None:
    """The layer's weights, and its bias if the moments are to be centred, are those that fit best from now on."""
    layer, weight = sums.layer, parameters_by_name(model)[sums.layer.name]
    own, cross = sums.moments(centred)
    before = layer.matrices(parameters_by_name(dense)[layer.name].detach().double())
    kept = layer.matrices(keep.to(weight.device))
    after = torch.stack([_fit(*parts, ridge) for parts in zip(before, kept, own, cross, strict=True)])
    with torch.no_grad():
        weight.copy_(layer.weight(after))
        if centred and sums.bias is not None:
            shift = before @ sums.was.unsqueeze(2) - after @ sums.now.unsqueeze(2)
            sums.bias.add_(shift.flatten() / sums.n_places)


@dataclass(eq=False)
class _Sums:
    """Sums over rows and positions of what one layer reads: x in the dense network, x' in the one being pruned.

    Attributes:
        layer: The layer.
        own: Of x' x'^T, ``(n_groups, n_columns, n_columns)``.
        cross: Of x x'^T, the same.
        was: Of x, ``(n_groups, n_columns)``.
        now: Of x', the same.
        n_places: Rows times positions.
        bias: That the network being pruned adds in every use of the layer, if it is always the same.
    """

    layer: Layer
    own: torch.Tensor
    cross: torch.Tensor
    was: torch.Tensor
    now: torch.Tensor
    n_places: int = 0
    bias: torch.Tensor | None = None

    @classmethod
    def over(cls, dense: nn.Module, model: nn.Module, layer: Layer, rows: ScoringRows) -> "_Sums":
        size, at_once = (layer.n_groups, layer.n_columns), min(rows.batch_size, ROWS_AT_ONCE)
        with questioned(dense), questioned(model) as device, torch.no_grad():
            vector = torch.zeros(size, dtype=torch.float64, device=device)
            square = torch.zeros(*size, size[1], dtype=torch.float64, device=device)
            sums = cls(layer, square, square.clone(), vector, vector.clone())
            for _, batch in replace(rows, batch_size=at_once).batches(device):
                sums._add(_uses(dense, layer, batch), _uses(model, layer, batch))
                if sums.n_places >= PLACES_PER_COLUMN * layer.n_columns:
                    break
        if not bool((sums.own.isfinite() & sums.cross.isfinite()).all()):
            raise ModelError(
                f"the layer of {layer.name!r} reads numbers that are not finite; the network is broken before it: look "
                "at the rows and at its weights, or train it again"
            )
        return sums

    def _add(self, was: list[Use], now: list[Use]) -> None:
        biases = {id(use.bias): use.bias for use in now}
        self.bias = next(iter(biases.values())) if len(biases) == 1 else None
        for one, other in zip(was, now, strict=True):
            for x, y in zip(one.columns(), other.columns(), strict=True):
                self.own.add_(y @ y.transpose(1, 2))
                self.cross.add_(x @ y.transpose(1, 2))
                self.was.add_(x.sum(dim=2))
                self.now.add_(y.sum(dim=2))
                self.n_places += x.shape[2]

    def moments(self, centred: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """E x' x'^T and E x x'^T; the covariances if a bias takes care of the means."""
        own, cross = self.own / self.n_places, self.cross / self.n_places
        if not centred:
            return own, cross
        was, now = self.was / self.n_places, self.now / self.n_places
        return own - now[:, :, None] * now[:, None, :], cross - was[:, :, None] * now[:, None, :]


def _uses(model: nn.Module, layer: Layer, batch: torch.Tensor) -> list[Use]:
    found: list[Use] = []
    with Watch(model, [layer.name], found.append):
        model(batch)
    return found


def _fit(
    before: torch.Tensor, keep: torch.Tensor, own: torch.Tensor, cross: torch.Tensor, ridge: float
) -> torch.Tensor:
    """The matrix V, zero outside the mask, that minimises E ||W x - V x'||^2 + lambda ||V - W||^2 over what is kept.

    Columns in blocks take turns; each turn is exact for its block, so that none makes the error larger.
    """
    size, turns = (len(own), 1) if len(own) <= AT_ONCE else (BLOCK, N_TURNS)
    strength = ridge * own.diagonal().mean() + 1e-12 * own.diagonal().max() + 1e-30
    wanted = before @ cross + strength * before
    after = before * keep
    for _ in range(turns):
        for block in torch.split(torch.arange(len(own), device=own.device), size):
            inner = own[block[:, None], block]
            others = after @ own[:, block] - after[:, block] @ inner
            inner = inner + strength * torch.eye(len(block), dtype=own.dtype, device=own.device)
            after[:, block] = _solve(inner, wanted[:, block] - others, keep[:, block])
    return after


def _solve(matrix: torch.Tensor, wanted: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
    """Rows v, zero outside the mask, with ``(v @ matrix)`` as wanted inside it; rows of one mask are solved at once."""
    found = torch.zeros_like(wanted)
    masks, members = torch.unique(keep, dim=0, return_inverse=True)
    for index, mask in enumerate(masks):
        columns, outputs = mask.nonzero().flatten(), (members == index).nonzero().flatten()
        if len(columns):
            factor = torch.linalg.cholesky(matrix[columns[:, None], columns])
            right = wanted[outputs[:, None], columns].T
            found[outputs[:, None], columns] = torch.cholesky_solve(right, factor).T
    return found
