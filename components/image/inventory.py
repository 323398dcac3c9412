"""What an image holds, read inside it: ``python3 - < inventory.py`` prints a bill of materials (CycloneDX 1.6, JSON).

Python's packages come from their metadata, the system's from dpkg's; each with its version and its licence. The same
image always prints the same text.
"""

import json
import re
from collections.abc import Iterator
from email.message import Message
from importlib.metadata import distributions
from pathlib import Path
from urllib.parse import quote

PYTHON, SYSTEM = Path("/opt"), Path("/var/lib/dpkg/status")


def bill() -> dict[str, object]:
    """The bill of materials of this root file system."""
    components = sorted([*_python(), *_system()], key=lambda one: str(one["bom-ref"]))
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": components}


def _python() -> Iterator[dict[str, object]]:
    for found in distributions():
        name = re.sub(r"[-_.]+", "-", found.metadata["Name"]).lower()
        yield _component(name, found.version, f"pkg:pypi/{name}@{quote(found.version)}", _licence(found.metadata))


def _licence(metadata: Message) -> str:
    """The licence that a package names: an SPDX expression if it has one, else its classifiers, else its own words."""
    if expression := metadata.get("License-Expression"):
        return str(expression)
    of_class = [text for text in metadata.get_all("Classifier", []) if text.startswith("License ::")]
    told = [text.rpartition(" :: ")[2] for text in of_class if text.count(" :: ") > 1]
    return " and ".join(told) or str(metadata.get("License") or "unknown").strip().partition("\n")[0][:80]


def _system() -> Iterator[dict[str, object]]:
    text = SYSTEM.read_text(encoding="utf-8") if SYSTEM.exists() else ""
    for block in text.split("\n\n"):
        fields = dict(re.findall(r"^([\w-]+): (.*)$", block, re.MULTILINE))
        if fields.get("Status", "").endswith(" installed"):
            name, version = fields["Package"], fields["Version"]
            reference = f"pkg:deb/debian/{name}@{quote(version, safe='')}?arch={fields['Architecture']}"
            yield _component(name, version, reference, f"see /usr/share/doc/{name}/copyright")


def _component(name: str, version: str, reference: str, licence: str) -> dict[str, object]:
    licences = [{"license": {"name": licence}}]
    return {
        "type": "library",
        "bom-ref": reference,
        "name": name,
        "version": version,
        "purl": reference,
        "licenses": licences,
    }


if __name__ == "__main__":
    print(json.dumps(bill(), indent=1, sort_keys=True))
