"""Numbers in the sentences that say a claim."""

from decimal import Decimal


def hundredfold(limit: Decimal) -> str:
    """A limit in points or percent, without needless zeros.

    Example:
        >>> hundredfold(Decimal("0.010")), hundredfold(Decimal("0.125"))
        ('1', '12.5')
    """
    text = f"{limit * 100:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def points(limit: Decimal) -> str:
    """A limit in points.

    Example:
        >>> points(Decimal("0.01")), points(Decimal("0.005"))
        ('1 point', '0.5 points')
    """
    number = hundredfold(limit)
    return f"{number} point{'s' * (number != '1')}"
