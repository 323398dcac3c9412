"""Runs mutants that mutmut has written, against the tests that reach them; see docs/mutation-testing.md.

One pytest session collects the tests once; every mutant is a fork of it that runs its own tests, shortest first,
up to the first failure. That is several times cheaper than collecting anew for each mutant.
"""

import argparse
import json
import os
import random
import resource
import signal
import sys
import time
from collections import Counter
from pathlib import Path

TREE = Path("mutants")
TESTS = ("tests/unit/risk", "tests/unit/certificate", "tests/golden")
LIMIT_S = 30  # of processor time beyond the budget: a mutant that needs more never ends


def module_of(mutant: str) -> str:
    return mutant.rpartition(".")[0].replace("sentei.", "")


def drawn(per_module: int, seed: int) -> list[str]:
    """Up to so many mutants of every module, in an order that may be stopped anywhere."""
    turns = []
    for meta in sorted(TREE.rglob("*.meta")):
        names = sorted(json.loads(meta.read_text())["exit_code_by_key"])
        random.Random(f"{seed}/{meta.relative_to(TREE)}").shuffle(names)
        turns += [(turn, name) for turn, name in enumerate(names[:per_module])]
    return [name for _, name in sorted(turns, key=lambda item: item[0])]


class Mutants:
    def __init__(self, mutants: list[str], budget_s: float, deadline: float, out: Path):
        self.mutants, self.budget_s, self.deadline, self.out = mutants, budget_s, deadline, out
        stats = json.loads(Path("mutmut-stats.json").read_text())
        self.tests, self.durations = stats["tests_by_mangled_function_name"], stats["duration_by_test"]

    def pytest_runtestloop(self, session):
        items = {item.nodeid: item for item in session.items}
        with self.out.open("a") as lines:
            for mutant in self.mutants:
                if time.time() > self.deadline:
                    break
                names = self.tests.get(mutant.rpartition("__mutmut_")[0], [])
                chosen = sorted((n for n in names if n in items), key=self.durations.get)
                start = time.time()
                status, test = self.judged(mutant, [items[name] for name in chosen]) if chosen else ("no tests", "")
                line = {"mutant": mutant, "status": status, "by": test, "seconds": round(time.time() - start, 2)}
                print(json.dumps(line), file=lines, flush=True)
        return True

    def judged(self, mutant, items):
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            self.child(mutant, items, writer)
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            said = pipe.read().decode()
        _, code = os.waitpid(pid, 0)
        if os.WIFSIGNALED(code):
            return ("timeout" if os.WTERMSIG(code) in (signal.SIGXCPU, signal.SIGKILL) else "killed"), said
        return {0: "survived", 1: "killed", 3: "out of budget"}[os.WEXITSTATUS(code)], said

    def child(self, mutant, items, writer):
        from _pytest.runner import runtestprotocol
        from mutmut.mutation.trampoline import set_mutant_under_test

        code = 1
        try:
            spent = time.process_time()
            limit = int(spent + self.budget_s + LIMIT_S)
            resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1))
            set_mutant_under_test(mutant)
            code = 0
            for item, following in zip(items, [*items[1:], None], strict=True):
                if time.process_time() - spent > self.budget_s:
                    code = 3
                    break
                if any(report.failed for report in runtestprotocol(item, log=False, nextitem=following)):
                    os.write(writer, item.nodeid.encode())
                    code = 1
                    break
        finally:
            os._exit(code)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--per-module", type=int, default=10, help="mutants drawn from each module")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--budget", type=float, default=1e4, help="processor seconds of tests for each mutant")
    parser.add_argument("--minutes", type=float, default=1e4, help="stop after this time")
    parser.add_argument("--only", help="a file with the names of mutants, instead of drawing them")
    parser.add_argument("--out", default="mutants.jsonl")
    arguments = parser.parse_args()
    mutants = (
        Path(arguments.only).read_text().split() if arguments.only else drawn(arguments.per_module, arguments.seed)
    )
    out = Path(arguments.out).resolve()
    done = {json.loads(line)["mutant"] for line in out.read_text().splitlines()} if out.exists() else set()
    os.chdir(TREE)
    sys.path[:0] = [str(Path("src").resolve()), str(Path.cwd())]
    os.environ.pop("MUTANT_UNDER_TEST", None)
    import pytest

    loop = Mutants([m for m in mutants if m not in done], arguments.budget, time.time() + 60 * arguments.minutes, out)
    pytest.main([*TESTS, "-p", "no:xdist", "-p", "no:cacheprovider"], plugins=[loop])
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    for (module, status), count in sorted(Counter((module_of(r["mutant"]), r["status"]) for r in rows).items()):
        print(f"{module:40} {status:14} {count}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
