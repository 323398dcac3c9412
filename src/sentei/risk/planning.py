"""How many calibration rows it takes."""


def paired_rows_needed(
    n_harmed: int,
    n_helped: int,
    n_examples: int,
    epsilon: float,
    delta: float,
    power: float = 0.8,
    gamma: float = 0.002,
) -> int | None:
    """Stub."""
    return None


def binomial_rows_needed(n_errors: int, n_examples: int, alpha: float, delta: float, power: float = 0.8) -> int | None:
    """Stub."""
    return None
