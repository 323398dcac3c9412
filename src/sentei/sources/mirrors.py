"""Downloads over HTTP that give up in time."""

import queue
import threading
import time
import urllib.request
from collections.abc import Sequence
from http.client import HTTPException
from typing import IO
from urllib.error import HTTPError

from sentei.errors import DataError
from sentei.sources import fashion_mnist

# A closed network may swallow packets: whoever does not answer in this time is not there.
ANSWER_S = 5.0
WHOLE_FILE_S = 120.0
LARGEST = 1 << 26


def from_torchvision() -> dict[str, bytes]:
    """Fashion-MNIST's packed files from the mirrors that torchvision knows.

    Raises:
        DataError: torchvision is not installed, or no mirror gave every file; says why for each.
    """
    try:
        from torchvision.datasets import FashionMNIST
    except Exception as error:  # a torchvision that does not fit its torch raises many things
        raise DataError(f"torchvision cannot be imported ({error})") from error
    return from_mirrors(FashionMNIST.mirrors, tuple(fashion_mnist.MD5))


def from_mirrors(
    mirrors: Sequence[str], names: Sequence[str], answer_s: float = ANSWER_S, whole_file_s: float = WHOLE_FILE_S
) -> dict[str, bytes]:
    """The packed files, all from the first mirror that has them.

    Args:
        mirrors: Addresses that end with a slash.
        names: The files, without ``.gz``.
        answer_s: How long a mirror may stay silent, in seconds.
        whole_file_s: How long one file may take, in seconds.

    Raises:
        DataError: No mirror gave every file in time; says why for each.
    """
    reasons = []
    for mirror in mirrors:
        try:
            return {name: download(f"{mirror}{name}.gz", answer_s, whole_file_s) for name in names}
        except (OSError, HTTPException, ValueError) as error:
            reasons.append(f"{mirror}: {error}")
    raise DataError("; ".join(reasons) or "there are no mirrors")


def download(url: str, answer_s: float, whole_file_s: float) -> bytes:
    """What stands at an address.

    Raises:
        OSError: It cannot be had, or not in time.
    """
    end = time.monotonic() + whole_file_s
    parts, n_bytes = [], 0
    with _opened(url, answer_s) as answer:
        while part := answer.read1(1 << 16):  # type: ignore[attr-defined]  # an HTTPResponse; returns what has come
            parts.append(part)
            n_bytes += len(part)
            if time.monotonic() > end:
                raise TimeoutError(f"the file did not arrive within {whole_file_s} s")
            if n_bytes > LARGEST:
                raise OSError(f"the file is larger than {LARGEST} bytes")
        if getattr(answer, "length", 0):
            raise OSError(f"the connection ended {answer.length} bytes early")  # type: ignore[attr-defined]  # as above
    return b"".join(parts)


def _opened(url: str, answer_s: float) -> IO[bytes]:
    # Looking up a name knows no time limit of its own, so it happens in a thread that can be left behind.
    answers: queue.Queue[IO[bytes] | Exception] = queue.Queue()
    threading.Thread(target=_open, args=(url, answer_s, answers), daemon=True).start()
    try:
        answer = answers.get(timeout=2 * answer_s)
    except queue.Empty:
        raise TimeoutError(f"no answer within {2 * answer_s} s") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _open(url: str, answer_s: float, answers: "queue.Queue[IO[bytes] | Exception]") -> None:
    try:
        answers.put(urllib.request.urlopen(url, timeout=answer_s))
    except HTTPError as error:
        error.close()  # it carries the answer's connection
        answers.put(error)
    except Exception as error:  # passed on to whoever waits
        answers.put(error)
