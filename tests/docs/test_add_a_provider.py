"""Whoever follows the guide word for word, in a checkout of their own, ends with a provider that conforms."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

from docs.doc_pages import ROOT, Block, page
from docs.doc_terminal import missing_lines

GUIDE: Final = page("docs/howto/add-a-provider.md")
COPIED: Final = ("src", "tests/providers/__init__.py", "pyproject.toml")
_COMMAND_S_MAX: Final = 100

# The line above a block of code says which file it is.
_NAMED: Final = re.compile(r"\*\*`([^`]+)`\*\*\s*\Z")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout without Acacia: our sources, and the tools that are installed."""
    for name in COPIED:
        source, target = ROOT / name, tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy(source, target)
    (tmp_path / "tests" / "providers").mkdir(parents=True, exist_ok=True)
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    return tmp_path


def test_following_the_guide_ends_with_a_provider_that_conforms(checkout: Path) -> None:
    written = []
    for block, after in pairwise([*GUIDE.blocks(), Block("", "", 0)]):
        name = named(block)
        if name is not None:
            written.append(name)
            (checkout / name).write_text(block.text, encoding="utf-8")
        elif block.language == "sh":
            typed = subprocess.run(
                ["bash", "-e"],
                input=block.text.encode(),
                cwd=checkout,
                env=environment(checkout),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=_COMMAND_S_MAX,
                check=False,
            )
            shown = typed.stdout.decode()
            assert typed.returncode == 0, f"line {block.line}: {block.text}\n{shown}"
            assert after.language == "text", f"line {block.line}: the guide does not say what is seen"
            expected = tuple(line for line in after.text.splitlines() if line.strip())
            assert missing_lines(expected, shown) == [], f"line {block.line}:\n{shown}"
    folder = checkout / "src/voucherswitch/providers/acacia"
    made = {path.relative_to(checkout).as_posix() for path in folder.rglob("*") if path.suffix in (".py", ".md")}
    assert made <= set(written), "every file that the folder started with is replaced"


def test_the_checkout_of_the_guide_is_not_ours() -> None:
    """Acacia does not exist; nobody must find it in a release."""
    assert not (ROOT / "src/voucherswitch/providers/acacia").exists()


def named(block: Block) -> str | None:
    """The file that the line above a block names."""
    if block.language not in ("python", "markdown"):
        return None
    above = "\n".join(GUIDE.text.splitlines()[: block.line - 2])
    found = _NAMED.search(above)
    assert found is not None, f"line {block.line}: no file is named above the block"
    return found[1]


def environment(checkout: Path) -> dict[str, str]:
    """That of a terminal in the checkout: its sources go before the installed ones."""
    kept: Iterator[tuple[str, str]] = (
        (key, value) for key, value in os.environ.items() if not key.startswith(("PYTEST", "COV", "VOUCHERSWITCH"))
    )
    return dict(kept) | {"PYTHONPATH": str(checkout / "src"), "COLUMNS": "200"}
