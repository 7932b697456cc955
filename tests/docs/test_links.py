"""Links lead somewhere, every record is in the index, and no page is left out."""

from pathlib import Path
from urllib.parse import unquote

import pytest

from docs.doc_pages import ROOT, Page, page, pages

GENERATED = {"settings.md", "cli.md"}


@pytest.mark.parametrize("source", pages(), ids=lambda source: source.name)
def test_every_link_resolves(source: Page) -> None:
    broken = []
    for target in source.links():
        if "://" in target or target.startswith("mailto:"):
            continue
        path, _, anchor = unquote(target).partition("#")
        file = (source.path.parent / path).resolve() if path else source.path
        if not _leads_to(file, anchor):
            broken.append(target)
    assert broken == []


def test_every_page_of_the_documentation_is_in_its_index() -> None:
    index = page("docs/README.md")
    named = {
        (index.path.parent / target.partition("#")[0]).resolve() for target in index.links() if "://" not in target
    }
    written = {path for path in (ROOT / "docs").rglob("*.md") if not _is_record(path) and path.name not in GENERATED}
    assert written - named - {index.path} == set()


def test_every_decision_record_is_in_its_index_and_has_the_form() -> None:
    index = page("docs/decisions/README.md")
    records = sorted(path for path in (ROOT / "docs/decisions").glob("*.md") if _is_record(path))
    assert {path.name for path in records} == {target for target in index.links() if target.startswith("0")}
    assert [int(path.name[:4]) for path in records] == list(range(1, len(records) + 1))
    for path in records:
        text = path.read_text(encoding="utf-8")
        assert text.startswith(f"# {path.name[:4]} "), path.name
        for part in ("**Context.**", "**Decision.**", "**Consequences.**", "**Alternatives.**", "**References.**"):
            assert part in text, f"{path.name} has no {part}"
        assert text.count("\n") <= 40, f"{path.name} is longer than a screen"


def _leads_to(file: Path, anchor: str) -> bool:
    if not file.exists() or not file.is_relative_to(ROOT):
        return False
    return not anchor or file.suffix != ".md" or anchor in page(file.relative_to(ROOT).as_posix()).anchors()


def _is_record(path: Path) -> bool:
    return path.parent.name == "decisions" and path.name[:4].isdigit()
