"""docs/reference/journal.md says what the code says. Its tables are compared in test_running_sandbox.py."""

import re
from enum import IntEnum
from pathlib import Path

import pytest

from docs.doc_pages import ROOT, page, rows
from voucherswitch.journal import statements
from voucherswitch.message import states, trace

PAGE = page("docs/reference/journal.md")
ENUMS = (
    states.Kind,
    states.State,
    states.VoucherState,
    states.AdviceKind,
    states.AdviceState,
    trace.Direction,
    trace.LegOutcome,
)
SQL = ROOT / "src/voucherswitch/journal/sql"
# Reads or writes one table as it is: the name says all of it.
PLAIN = ("load_", "put_", "pause_saf", "catalogue_version", "looked_up")
VERSIONS = ROOT / "src/voucherswitch/journal/migrations/versions"


@pytest.mark.parametrize("enum", ENUMS, ids=lambda enum: enum.__name__)
def test_every_state_has_its_number_and_its_name(enum: type[IntEnum]) -> None:
    found = re.search(rf"^\| {enum.__name__} \|.*?\n((?:\|.*\n)+)", PAGE.text, re.MULTILINE)
    assert found is not None, f"no table of {enum.__name__}"
    documented = {row[1]: int(row[0]) for row in rows(found[1])}
    assert documented == {member.name: member.value for member in enum}


def test_every_named_statement_is_on_the_page() -> None:
    documented = {row[0].strip("`"): row[2] for row in rows(PAGE.section("Statements"))}
    assert sorted(documented) == sorted(statements.SQL)
    assert [name for name, purpose in documented.items() if not purpose.endswith(".")] == []


@pytest.mark.parametrize("file", sorted(SQL.glob("*.sql")), ids=lambda file: file.name)
def test_every_named_statement_says_in_its_file_what_it_is_for(file: Path) -> None:
    silent = [name for name, body in statements.load(file.name).items() if not body.startswith("-- ")]
    assert [name for name in silent if not name.startswith(PLAIN)] == []


def test_migrations_say_whether_they_run_before_or_after_the_code() -> None:
    """`0007_pre_…` while the old code still runs, `0008_post_…` when none of it does; numbers without gaps."""
    names = [file.name for file in sorted(VERSIONS.iterdir()) if file.suffix in (".py", ".sql")]
    assert names
    for name in names:
        assert re.fullmatch(r"\d{4}_(pre|post)_[a-z0-9_]+\.(py|sql)", name), name
    numbers = sorted({int(name[:4]) for name in names if name.endswith(".py")})
    assert numbers == [*range(1, len(numbers) + 1)]
