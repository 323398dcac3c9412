"""Writes what is generated: every component.yaml, the compiled pipelines and the recipe's JSON schema.

``python -m pipelines.generate`` writes them in place; ``--check`` compares instead, and fails naming what is stale.
"""

import json
import sys
import tempfile
from importlib import import_module
from pathlib import Path

from kfp.compiler import Compiler

ROOT = Path(__file__).resolve().parents[1]


def generate(target: Path) -> list[Path]:
    """Write every generated file below ``target``, at its place in the repository; their relative paths."""
    names = sorted(path.parent.name for path in ROOT.glob("components/*/component.py"))
    sources = {f"components/{name}/component.yaml": (f"components.{name}.component", name) for name in names}
    sources |= {f"pipelines/{name}.yaml": (f"pipelines.{name}", name) for name in ("compress", "recertify")}
    for relative, (module, name) in sources.items():
        (target / relative).parent.mkdir(parents=True, exist_ok=True)
        Compiler().compile(getattr(import_module(module), name), str(target / relative))
    schema = "pipelines/recipes/recipe.schema.json"
    (target / schema).parent.mkdir(parents=True, exist_ok=True)
    json_schema = import_module("sentei.recipe.schema").json_schema()
    (target / schema).write_text(json.dumps(json_schema, indent=2) + "\n")
    return [Path(relative) for relative in (*sources, schema)]


def stale() -> list[Path]:
    """The generated files that differ from what the sources give now."""
    with tempfile.TemporaryDirectory() as fresh:
        made = generate(Path(fresh))
        return [path for path in made if not _same(Path(fresh) / path, ROOT / path)]


def _same(fresh: Path, kept: Path) -> bool:
    return kept.is_file() and fresh.read_bytes() == kept.read_bytes()


def main() -> int:
    """Write or compare, as the command line says."""
    if "--check" not in sys.argv[1:]:
        generate(ROOT)
        return 0
    names = stale()
    for name in names:
        print(f"{name}: differs from its source; run 'make generated' and commit the result")
    return 1 if names else 0


if __name__ == "__main__":
    sys.exit(main())
