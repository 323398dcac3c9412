"""Small stand-ins for the accelerator libraries that torch links with, for images that run on CPUs only.

The published torch loads gigabytes of libraries of CUDA when it is imported, although nothing calls them where there is
no GPU. ``python standins.py SITE`` writes, for each library that is missing under SITE, one of that name whose every
function answers 100: to the runtime of CUDA that means "no device was found", to the others an error.
"""

import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile

NO_DEVICE = 100  # cudaErrorNoDevice
NEVER = "libcuda.so"  # the driver: loaded by what is loaded only where there is a GPU
NVIDIA = ("libcu", "libnccl", "libnv", "libnvrtc")
Version = str | None


@dataclass(frozen=True)
class Library:
    """What one shared library needs and gives.

    Attributes:
        needed: Names of the libraries that it loads.
        defined: Functions and data that others find in it.
        undefined: What it takes from others: the name, the library that its version names, and the version.
    """

    needed: frozenset[str]
    defined: frozenset[str]
    undefined: frozenset[tuple[str, str | None, Version]]


def main(site: Path) -> None:
    """Write the stand-ins into ``SITE/torch/lib``, where torch's libraries look for what they need."""
    folder = site / "torch/lib"
    present = {path.name for path in site.rglob("*.so*")}
    libraries = [read(path) for path in sorted([*folder.glob("*.so*"), *site.glob("torchvision/*.so")])]
    for name, symbols in wanted(libraries, present).items():
        write(folder / name, symbols)
        print(f"{name}: a stand-in of {sum(map(len, symbols.values()))} functions")


def read(path: Path) -> Library:
    """What the dynamic section of a shared library says."""
    with path.open("rb") as file:
        elf = ELFFile(file)
        needed = {tag.needed for tag in elf.get_section_by_name(".dynamic").iter_tags("DT_NEEDED")}
        symbols = list(_symbols(elf))
    defined = {name for name, is_defined, _, _ in symbols if is_defined}
    undefined = {(name, library, version) for name, is_defined, library, version in symbols if not is_defined}
    return Library(frozenset(needed), frozenset(defined), frozenset(undefined))


def _symbols(elf: ELFFile) -> Iterator[tuple[str, bool, str | None, Version]]:
    wishes, marks = elf.get_section_by_name(".gnu.version_r"), elf.get_section_by_name(".gnu.version")
    owners = {
        one["vna_other"]: (need.name, one.name)
        for need, ones in (wishes.iter_versions() if wishes else ())
        for one in ones
    }
    for index, symbol in enumerate(elf.get_section_by_name(".dynsym").iter_symbols()):
        is_defined = symbol["st_shndx"] != "SHN_UNDEF"
        if symbol.name and (is_defined or symbol["st_info"]["bind"] == "STB_GLOBAL"):  # weak wishes may stay open
            mark = marks.get_symbol(index)["ndx"] if marks else None
            yield symbol.name, is_defined, *owners.get(mark, (None, None))


def wanted(libraries: list[Library], present: set[str]) -> dict[str, dict[Version, set[str]]]:
    """For each missing library, the functions that it has to have, by version.

    Args:
        libraries: Everything that loads them.
        present: Names of the libraries that are there.
    """
    needed = {name for one in libraries for name in one.needed if name.startswith(NVIDIA)}
    missing = sorted(name for name in needed - present if not name.startswith(NEVER))
    found: dict[str, dict[Version, set[str]]] = {name: defaultdict(set) for name in missing}
    defined = {name for one in libraries for name in one.defined}
    for symbol, library, version in {wish for one in libraries for wish in one.undefined}:
        if library in found:
            found[library][version].add(symbol)
        elif library is None and symbol not in defined and (owner := _owner(symbol, missing)):
            found[owner][None].add(symbol)
    return found


def _owner(symbol: str, missing: list[str]) -> str | None:
    """Whose an unversioned function is, by its prefix: ``cusparseLtInit`` is of ``libcusparseLt.so.0``."""
    stems = {name.removeprefix("lib").partition(".")[0].partition("_")[0].lower(): name for name in missing}
    fitting = [stem for stem in stems if symbol.lower().startswith(stem)]
    return stems[max(fitting, key=len)] if fitting else None


def write(path: Path, symbols: dict[Version, set[str]]) -> None:
    """Compile a library whose functions take nothing and answer NO_DEVICE."""
    source, script = path.with_suffix(".stand-in.c"), path.with_suffix(".stand-in.map")
    names = sorted(name for ones in symbols.values() for name in ones)
    source.write_text("".join(f"int {name}(void) {{ return {NO_DEVICE}; }}\n" for name in names))
    versions = {version: ones for version, ones in symbols.items() if version}
    script.write_text("".join(f"{version} {{ {'; '.join(sorted(ones))}; }};\n" for version, ones in versions.items()))
    options = ["-shared", "-nostdlib", "-fPIC", "-O1", "-s", f"-Wl,-soname,{path.name}"]
    options += [f"-Wl,--version-script,{script}"] if versions else []
    subprocess.run([sys.executable, "-m", "ziglang", "cc", *options, "-o", str(path), str(source)], check=True)
    source.unlink()
    script.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
