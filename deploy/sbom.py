"""`python -m deploy.sbom FILE`: the list of all that a release is made of, CycloneDX 1.5 in JSON (make sbom).

uv writes it from uv.lock: names, versions, purls, who needs whom, and the SHA-256 of every file that may be installed.
This adds the licences, which the lock does not know, from the packages as they are installed here.
"""

import json
import os
import subprocess
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Final

from cyclonedx.exception import MissingOptionalDependencyException
from cyclonedx.schema import SchemaVersion
from cyclonedx.spdx import fixup_id, is_expression
from cyclonedx.validation.json import JsonStrictValidator

Json = dict[str, Any]

ROOT: Final = Path(__file__).parents[1]
EXPORT: Final = (
    *("export", "--quiet", "--frozen", "--format", "cyclonedx1.5", "--preview-features", "sbom-export"),
    "--no-default-groups",
)

# Trove classifiers that name one licence of the SPDX list, and texts that say it in other words.
_SPDX: Final = {
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: ISC License (ISCL)": "ISC",
    "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "License :: OSI Approved :: Python Software Foundation License": "PSF-2.0",
}
_LICENCE_CHARS_MAX: Final = 60  # a longer `License` is the licence's own text, not its name


def sbom(uv: str) -> Json:
    """Return the document for the lock beside this folder; `uv` is the program that exports it."""
    done = subprocess.run([uv, *EXPORT], cwd=ROOT, capture_output=True, text=True, check=True)
    document: Json = json.loads(done.stdout)
    product: Json = document["metadata"]["component"]
    product["type"] = "application"
    for component in (product, *document["components"]):
        try:
            licences = licences_of(distribution(component["name"]))
        except PackageNotFoundError:
            continue  # one for another system: the lock's marker, which uv has written down, says which
        if licences:
            component["licenses"] = licences
    return document


def licences_of(package: Distribution) -> list[Json]:
    """Say under which licences a package is, as CycloneDX writes it; an empty list where it says nothing itself."""
    expression = _first(package, "License-Expression")
    if expression is not None and fixup_id(expression) is None and is_expression(expression):
        return [{"expression": expression}]
    classifiers = [line for line in package.metadata.get_all("Classifier") or [] if line.startswith("License ::")]
    text = (_first(package, "License") or "").strip()
    if expression is not None:
        names = [expression]
    elif any(line in _SPDX for line in classifiers):
        names = [_SPDX[line] for line in classifiers if line in _SPDX]
    elif 0 < len(text) <= _LICENCE_CHARS_MAX:
        names = [text]
    else:
        names = [line.rpartition(" :: ")[2] for line in classifiers] or _title(package)
    return [{"license": {"id": spdx} if (spdx := fixup_id(name)) is not None else {"name": name}} for name in names]


def faults(document: Json) -> str | None:
    """What the published schema has against a document; None when nothing.

    Without the format of URLs, which the library's own extra would check by a parser that takes minutes.

    Raises:
        MissingOptionalDependencyException: jsonschema is not installed; `make .venv/.synced` installs it.
    """
    found = JsonStrictValidator(SchemaVersion.V1_5).validate_str(json.dumps(document))
    return None if found is None else str(found)


def _first(package: Distribution, name: str) -> str | None:
    return next(iter(package.metadata.get_all(name) or []), None)


def _title(package: Distribution) -> list[str]:
    """The first line of the licence file that a package without any other word on it brings."""
    for file in package.files or ():
        if file.name.upper().startswith("LICEN") and ".dist-info" in str(file):
            lines = filter(None, (line.strip() for line in file.read_text().splitlines()))
            return [line[:_LICENCE_CHARS_MAX] for line in list(lines)[:1]]
    return []


def main() -> None:
    """Write the document to the file that is named; refuse to write one that the schema does not allow."""
    target = Path(sys.argv[1])
    document = sbom(os.environ.get("UV", "uv"))
    wrong = faults(document)
    if wrong is not None:
        sys.exit(f"sbom: not what CycloneDX 1.5 allows: {wrong}")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    print(f"{target}: {len(document['components'])} components")


if __name__ == "__main__":
    try:
        main()
    except (subprocess.CalledProcessError, OSError, MissingOptionalDependencyException) as error:
        sys.exit(f"sbom: {getattr(error, 'stderr', None) or error}")
