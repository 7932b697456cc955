"""docs/reference/invariants.md lists every invariant, and is what the statements say today."""

from docs.doc_pages import page
from voucherswitch.journal import invariants_reference
from voucherswitch.journal.invariants import INVARIANTS

PAGE = page("docs/reference/invariants.md")
REMEDY = "write it anew: make docs"


def test_every_invariant_is_on_the_page() -> None:
    missing = [invariant.name for invariant in INVARIANTS if f"\n## {invariant.name}\n" not in PAGE.text]
    assert missing == [], REMEDY


def test_the_page_is_not_stale() -> None:
    assert PAGE.text == invariants_reference.render(), REMEDY
