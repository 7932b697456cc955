"""Whoever types the pages word for word sees what they say. One sandbox for all of it, started as the README says."""

import asyncio
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator

import asyncpg
import pytest

from docs.doc_pages import ROOT, page, rows
from docs.doc_terminal import Sandbox, missing_lines, sandbox

TYPED = ("README.md", "docs/howto/first-integration.md", "docs/howto/sandbox.md")


_COLUMN = re.compile(r"`(\w+)`")


@pytest.fixture(scope="module")
def reader() -> Iterator[Sandbox]:
    """A reader who has typed `make run` in another terminal."""
    with sandbox() as running:
        yield running


def test_make_run_shows_what_the_readme_says(reader: Sandbox) -> None:
    first = next(page("README.md").steps())
    assert first.commands.strip() == "make run"
    assert first.shown, "the README shows what make run prints"
    assert missing_lines(first.shown, reader.shown()) == [], reader.shown()


@pytest.mark.parametrize("name", TYPED)
def test_every_command_of_the_page_works_and_shows_what_it_says(reader: Sandbox, name: str) -> None:
    complaints = reader.walk(page(name))
    assert complaints == [], "\n\n".join(complaints)


def test_every_table_and_column_of_the_database_is_documented(reader: Sandbox) -> None:
    """And none that is not there: a column that was dropped would mislead whoever looks for it."""
    journal = page("docs/reference/journal.md")
    documented = {
        heading: {name for row in rows(journal.section(heading)) for name in _COLUMN.findall(row[0])}
        for heading in re.findall(r"^### (\w+)$", journal.text, re.MULTILINE)
    }
    assert documented == asyncio.run(_columns(reader.database_url()))


def test_every_target_of_make_that_a_page_names_is_there() -> None:
    named = {
        target
        for name in (*TYPED, "CONTRIBUTING.md")
        for block in page(name).blocks()
        if block.language == "sh"
        for line in block.text.splitlines()
        if line.startswith("make ")
        for target in line.split()[1:]
        if "=" not in target
    }
    assert {"run", "test", "bench"} <= named
    old = ["--old-file=.venv/.synced", "--old-file=.venv/.synced-bench"]
    for target in sorted(named):
        subprocess.run(["make", "--dry-run", *old, target], cwd=ROOT, check=True, capture_output=True)


def test_a_line_that_does_not_come_is_noticed() -> None:
    """The patterns forgive ids and dates, and nothing else."""
    printed = "HTTP 201\n│ Reference   VSW-000000000007 │\n"
    assert missing_lines(("HTTP 201", "│ Reference VSW-000000000001 │"), printed) == []
    assert missing_lines(("│ Ref… │",), printed) == []
    assert missing_lines(("HTTP 202",), printed) == ["HTTP 202"]
    assert missing_lines(("│ Reference VSW-000000000001 │", "HTTP 201"), printed) == ["HTTP 201"], "in this order"


async def _columns(url: str) -> dict[str, set[str]]:
    connection = await asyncpg.connect(url)
    try:
        found = await connection.fetch(
            """
            SELECT table_name, column_name
              FROM information_schema.columns
             WHERE table_schema = 'public' AND table_name <> 'alembic_version'
               AND table_name !~ '^leg_(\\d{8}|default)$'
            """
        )
    finally:
        await connection.close()
    tables: defaultdict[str, set[str]] = defaultdict(set)
    for row in found:
        tables[row["table_name"]].add(row["column_name"])
    return dict(tables)
