"""The ledger of attempts: calibration rows that are used again cost more each time, and nobody can forget a use.

``shelf`` keeps records that are written once, ``sets`` knows which calibration sets share rows, ``history`` what was
attempted on them and answered, ``request`` and ``quote`` what one more attempt costs; ``ledger`` is the way in.
"""

from sentei.steps.ledger.attempts import Answer, Attempt
from sentei.steps.ledger.history import Entry
from sentei.steps.ledger.ledger import Chain, Ledger
from sentei.steps.ledger.quote import Quote, Spent
from sentei.steps.ledger.shelf import FolderShelf, Shelf

__all__ = ["Answer", "Attempt", "Chain", "Entry", "FolderShelf", "Ledger", "Quote", "Shelf", "Spent"]
