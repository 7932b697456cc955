"""The documentation as the tests read it: pages, headings, links, tables, and the blocks that a reader types."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
_FENCE: Final = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_LINK: Final = re.compile(r"(?<!!)\[[^\]]*\]\(<?([^)\s>]+)>?\)")
_HEADING: Final = re.compile(r"^#+ +(.+?)\s*$", re.MULTILINE)
_WITHOUT_ANCHOR: Final = re.compile(r"[^\w\- ]")


@dataclass(frozen=True)
class Block:
    """One fenced block. `line` is that of its first line, counted from 1."""

    language: str
    text: str
    line: int


@dataclass(frozen=True)
class Step:
    """What a reader types, and what the page says one sees then."""

    commands: str
    shown: tuple[str, ...]
    line: int


@dataclass(frozen=True)
class Page:
    """One Markdown file."""

    path: Path
    text: str

    @property
    def name(self) -> str:
        """Its path in the repository."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def prose(self) -> str:
        """The text without its fenced blocks."""
        return _FENCE.sub("", self.text)

    def blocks(self) -> Iterator[Block]:
        """Fenced blocks in order."""
        for found in _FENCE.finditer(self.text):
            line = self.text.count("\n", 0, found.start()) + 2
            yield Block(found[2], found[3], line)

    def steps(self) -> Iterator[Step]:
        """What is typed, with what is shown in the block right after it."""
        blocks = [*self.blocks(), Block("", "", 0)]
        for block, after in pairwise(blocks):
            if block.language == "sh":
                # "Right after" is at most a sentence between the two.
                near = after.language == "text" and after.line - block.line - block.text.count("\n") <= 6
                shown = tuple(line for line in after.text.splitlines() if line.strip()) if near else ()
                yield Step(block.text, shown, block.line)

    def links(self) -> Iterator[str]:
        """Targets of its links, in order."""
        return (found[1] for found in _LINK.finditer(self.prose))

    def anchors(self) -> set[str]:
        """What `#…` may name, by the rule that code hosts use."""
        return {_WITHOUT_ANCHOR.sub("", heading.lower()).replace(" ", "-") for heading in _HEADING.findall(self.prose)}

    def section(self, heading: str) -> str:
        """The text below a heading, up to the next one of its level or above."""
        found = re.search(rf"^(#+) {re.escape(heading)}$", self.text, re.MULTILINE)
        assert found is not None, f"{self.name} has no heading {heading!r}"
        rest = self.text[found.end() :]
        end = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
        return rest if end is None else rest[: end.start()]


def page(name: str) -> Page:
    """Read one page by its path in the repository."""
    path = ROOT / name
    return Page(path, path.read_text(encoding="utf-8"))


def pages() -> list[Page]:
    """Every page of the repository."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "tests").rglob("*.md")]
    return [page(path.relative_to(ROOT).as_posix()) for path in sorted([*found, *(ROOT / "src").rglob("*.md")])]


def rows(text: str) -> list[list[str]]:
    """The cells of every table line in a text, without heads and rulers."""
    lines = text.splitlines()
    found = []
    for number, line in enumerate(lines):
        if not line.startswith("|") or set(line) <= set("|-: "):
            continue
        if number + 1 < len(lines) and set(lines[number + 1]) <= set("|-: ") and lines[number + 1].startswith("|-"):
            continue
        found.append([cell.strip() for cell in line.strip().strip("|").split("|")])
    return found
