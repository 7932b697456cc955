"""The folder that a new provider starts from: a small protocol of our own, working, to be replaced file by file.

The templates lie beside this module, `.txt` so that no tool takes them for code. `@name@`, `@Name@` and `@port@` stand
for the provider's name, its class name and its simulator's port.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

NAME: Final = re.compile(r"[a-z][a-z0-9]{1,19}")

_HERE: Final = Path(__file__).parent
_SUFFIX: Final = ".txt"
_IMPORT: Final = re.compile(r"^from (\S+) import (?:\([^)]*\)|[^\n(]*)\n", re.MULTILINE)
_OURS: Final = re.compile(r"(?:^from (?:voucherswitch|providers)\S* import (?:\([^)]*\)|[^\n(]*)\n)+", re.MULTILINE)


class NewFile(Struct, frozen=True):
    """One file to write: its path in the checkout and its text."""

    path: Path
    text: str


def files(name: str, port: int) -> tuple[NewFile, ...]:
    """Every file of a new provider, its tests included."""
    folders = (("provider", Path("src/voucherswitch/providers") / name), ("tests", Path("tests/providers") / name))
    return tuple(
        NewFile(target / _filled(relative.removesuffix(_SUFFIX), name, port), _sorted(_filled(text, name, port)))
        for kind, target in folders
        for relative, text in _templates(_HERE / kind)
    )


def _templates(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob(f"*{_SUFFIX}")):
        yield path.relative_to(folder).as_posix(), path.read_text(encoding="utf-8")


def _filled(text: str, name: str, port: int) -> str:
    return text.replace("@name@", name).replace("@Name@", name.capitalize()).replace("@port@", str(port))


def _sorted(text: str) -> str:
    """The same text with our own imports in alphabetical order, which depends on the name."""

    def ordered(block: re.Match[str]) -> str:
        statements = [(found[1], found[0]) for found in _IMPORT.finditer(block[0])]
        return "".join(statement for _, statement in sorted(statements))

    return _OURS.sub(ordered, text)
