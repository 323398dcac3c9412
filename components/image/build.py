"""``make images``: the one image of all components, its bill of materials and its licences.

``python -m components.image.build [cpu|cuda]`` prints the image's name last. The name is a digest of what goes in, so
that the same sources always have the same name, and one that exists is not built again.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from components.image.engine import base_image, engine, present

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
OUT = ROOT / "build/images"
SOURCES = ("src", "components", "pipelines", "pyproject.toml")
VARIANTS = ("cpu", "cuda")
# The Python of the base image; wheels are fetched for it whatever Python runs this.
FOR_PYTHON = ["--python-version", "3.11", "--implementation", "cp", "--abi", "cp311", "--abi", "abi3", "--abi", "none"]
PLATFORMS = [f"manylinux_2_{minor}_x86_64" for minor in range(36, 4, -1)]
PLATFORMS += ["manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64", "any"]


def build(variant: str) -> str:
    """Build the image of a variant if it is not there yet; its name.

    Args:
        variant: ``cpu`` or ``cuda``.
    """
    name = image_name(variant)
    if not present(name):
        begun = time.monotonic()
        context = _context(variant)
        arguments = {
            "BASE_IMAGE": base_image(),
            "VARIANT": variant,
            "VERSION": name.partition(":")[2],
            "REVISION": _revision(),
            "SOURCES": digest(variant),
        }
        options = [part for key, value in arguments.items() for part in ("--build-arg", f"{key}={value}")]
        command = ["docker", "build", "--quiet", "--network", "none", "--tag", name, *options, str(context)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{name} was not built; docker build said:\n{(done.stdout + done.stderr)[-3000:]}")
        print(f"built {name} in {time.monotonic() - begun:.0f} s, {size(name) / 1e9:.2f} GB")
    write_inventory(name, OUT / name.replace(":", "-"))
    return name


def image_name(variant: str) -> str:
    """``sentei:<digest>-<variant>``."""
    return f"sentei:{digest(variant)[:16]}-{variant}"


def digest(variant: str) -> str:
    """SHA-256 over every source file and the lock file of the variant (it stands among the components)."""
    total = hashlib.sha256(variant.encode())
    for path in _sources():
        total.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


def _sources() -> Iterator[Path]:
    for top in SOURCES:
        found = [ROOT / top] if (ROOT / top).is_file() else sorted((ROOT / top).rglob("*"))
        yield from (path for path in found if path.is_file() and "__pycache__" not in path.parts)


def size(image: str) -> int:
    """Bytes of an image, as the engine counts them."""
    command = ["docker", "image", "inspect", "--format", "{{.Size}}", image]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def write_inventory(image: str, folder: Path) -> None:
    """Write the bill of materials and the licences of an image into a folder."""
    command = ["docker", "run", "--rm", "--interactive", "--network", "none", "--read-only", image, "python3", "-"]
    script = (HERE / "inventory.py").read_text()
    text = subprocess.run(command, input=script, check=True, stdout=subprocess.PIPE, text=True).stdout
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sbom.cdx.json").write_text(text)
    rows = [
        (one["name"], one["version"], one["licenses"][0]["license"]["name"]) for one in json.loads(text)["components"]
    ]
    (folder / "licences.tsv").write_text("".join("\t".join(row) + "\n" for row in rows))


def _context(variant: str) -> Path:
    """A folder with all that the Dockerfile copies."""
    context = OUT / f"context-{variant}"
    shutil.rmtree(context, ignore_errors=True)
    context.mkdir(parents=True)
    lock = HERE / f"requirements-{variant}.txt"
    shutil.copytree(_wheels(lock), context / "wheels", copy_function=os.link)
    shutil.copy(lock, context / "requirements.txt")
    for name in ("Dockerfile", "standins.py"):
        shutil.copy(HERE / name, context / name)
    _pip("wheel", "--no-deps", "--wheel-dir", str(context / "sentei"), str(ROOT))
    return context


def _wheels(lock: Path) -> Path:
    """A folder with the wheels of a lock file and of the tools that install them; fetched once."""
    tools = HERE / "tools.txt"
    key = hashlib.sha256(lock.read_bytes() + tools.read_bytes()).hexdigest()[:16]
    folder = OUT / f"wheels-{key}"
    if not folder.exists():
        partial = OUT / f".wheels-{key}"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        platforms = [part for one in PLATFORMS for part in ("--platform", one)]
        options = ["--no-deps", "--only-binary", ":all:", *FOR_PYTHON, *platforms, "--dest", str(partial)]
        _pip("download", *options, "--requirement", str(lock), "--requirement", str(tools))
        partial.rename(folder)
    return folder


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "-qq", "--disable-pip-version-check", *arguments]
    if subprocess.run(command, check=False).returncode:
        sys.exit(f"pip {arguments[0]} failed, see above; it looks where pip's own configuration on this machine says")


def _revision() -> str:
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def main(variant: str = "cpu") -> None:
    """Build, write the inventory, print the name."""
    if variant not in VARIANTS:
        sys.exit(f"expected one of {', '.join(VARIANTS)}, received {variant!r}")
    with engine():
        print(build(variant))


if __name__ == "__main__":
    main(*sys.argv[1:])
