"""Which parameters pruning may touch."""

from torch import nn
from torch.nn.modules.conv import _ConvNd

SCOPES = ("weights", "everything")


def prunable_weights(model: nn.Module, scope: str = "weights") -> tuple[str, ...]:
    """The names of the parameters that may be pruned, in the order of the network.

    Args:
        model: The network.
        scope: ``weights``: the weights of linear and convolution layers; biases and normalisation stay.
            ``everything``: all parameters, as in the experiment that is reproduced.

    Returns:
        Names as in ``model.named_parameters()``; a parameter shared by two layers is named once.

    Raises:
        ValueError: The scope is unknown.

    Source:
        ``everything``: Alvarez, arXiv:2408.04759.

    Example:
        >>> net = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
        >>> prunable_weights(net), len(prunable_weights(net, scope="everything"))
        (('0.weight',), 4)
    """
    if scope not in SCOPES:
        raise ValueError(f"scope is one of {SCOPES}, received {scope!r}")
    layers = [module for module in model.modules() if isinstance(module, nn.Linear | _ConvNd)]
    weights = {id(layer.weight) for layer in layers}
    return tuple(
        name for name, parameter in model.named_parameters() if scope == "everything" or id(parameter) in weights
    )
