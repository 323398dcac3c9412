"""Processes that reserve attempts in one ledger at the same time; prints family and number of each.

Run as ``python reserving.py PLACE PROCESSES SAME``: so many families, each reserved by ``SAME`` processes at once.
"""

import hashlib
import os
import sys

import numpy as np

from sentei.adapters.uris import open_ledger

ROWS = np.frombuffer(b"".join(hashlib.sha256(bytes([number])).digest() for number in range(50)), np.uint8).reshape(
    -1, 32
)


def reserve(ledger, family, ready):
    os.read(ready, 1)  # all start when the last one is there
    digest = hashlib.sha256(str(family).encode()).hexdigest()
    attempt = ledger.reserve(ROWS, "0" * 64, digest, "0.05", 3, "2026-01-31T12:00:00Z")
    os.write(1, f"{family} {attempt.number}\n".encode())


def main(place, processes, same):
    ledger = open_ledger(place)  # before the forks, and before it has asked for anything: making a client takes long
    ready, start = os.pipe()
    children = []
    for number in range(processes):
        child = os.fork()
        if not child:
            try:
                reserve(ledger, number // same, ready)
            except BaseException as error:
                print(repr(error), file=sys.stderr, flush=True)
                os._exit(1)
            os._exit(0)
        children.append(child)
    os.write(start, b"!" * processes)
    return max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0 for child in children)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
