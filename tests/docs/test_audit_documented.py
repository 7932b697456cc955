"""docs/operations/audit.md names every action that the audit trail can hold, and no other."""

from docs.doc_pages import page, rows
from voucherswitch.people.audit.actions import ACTIONS


def test_every_action_is_on_the_page_with_its_sentence() -> None:
    documented = {row[0].strip("`"): row[1] for row in rows(page("docs/operations/audit.md").section("Actions"))}
    assert documented == ACTIONS
