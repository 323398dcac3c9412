"""Optimal brain damage: what a weight's removal costs if the loss is quadratic and no other weight moves."""

from sentei.importance.criterion import Scores, Subject
from sentei.importance.gradients import curvatures
from sentei.importance.places import parameters_by_name


def score_obd(subject: Subject, names: tuple[str, ...]) -> Scores:
    """h_kk w_k^2 / 2 for every weight, h the diagonal of the Gauss-Newton matrix over the rows.

    The Gauss-Newton matrix, and not the empirical Fisher matrix: the latter is made of the gradients of the labels'
    loss, which vanish where the network is right, and so says that nothing matters once it has fitted its rows.
    The labels are not looked at.

    Args:
        subject: The network and its rows.
        names: Of parameters.

    Returns:
        By parameter, in its shape; larger = keep. An increase of the mean cross-entropy in nats.

    Raises:
        ModelError: No rows were given, or what the network says is not finite.

    Source:
        LeCun, Denker & Solla, Optimal brain damage, 1990.
    """
    parameters = parameters_by_name(subject.model)
    diagonals = curvatures(subject.model, names, subject.rows, subject.seed)
    return {
        name: (diagonal * parameters[name].detach().double().cpu().square() / 2).float()
        for name, diagonal in diagonals.items()
    }
