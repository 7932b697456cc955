"""The published reference of the invariants, made from invariants.sql.

Write it with `make docs`, or: python -m voucherswitch.journal.invariants_reference > docs/reference/invariants.md
"""

import sys

from voucherswitch.journal.invariants import INVARIANTS, Invariant

_HEAD = """\
# Invariants

Made by `make docs` from [invariants.sql](../../src/voucherswitch/journal/invariants.sql); change the statements there.

What must hold in the journal at every committed moment. All that one message changes is one statement, so each of these
holds while the switch works, not only at rest. The tests prove that after each module, on whatever its requests did.

* **Each worker** checks every `invariant_check_s`, one of them at a time: what changed since the last check, and every
  row that was broken then. A new breach is one log line with `alert` `invariant_broken`; `invariant_mended` says that
  it holds again. The console's overview, its `/health` and the metrics show it
  ([runbook](../operations/runbook.md#an-invariant-is-broken)).
* **`voucherswitch verify`** reads all of the journal, or what changed since a moment. Exit code 0: all hold; 1: one
  is broken; 2: it could not be found out.

A check of a minute reads the rows of that minute by block range indexes (BRIN) on `changed_at` and `finished_at`, which
cost a write next to nothing and stay small: with 10 million transactions it reads no more than with none. What has been
looked at is remembered; after a pause the check catches up in steps. At most 500 rows of a broken invariant are kept;
beyond them the check stays where it is until they are mended, so nothing is forgotten.

No invariant mends anything. Nothing here is changed by hand without knowing what the provider holds.
"""


def render() -> str:
    """The reference page, Markdown."""
    return _HEAD + "".join(_section(invariant) for invariant in INVARIANTS)


def _section(invariant: Invariant) -> str:
    reads = ""
    if invariant.only_full:
        reads = "\nOnly a full check looks for it.\n"
    elif not invariant.takes_keys:
        reads = "\nIt reads little, and is looked for anew by each check.\n"
    return f"""
## {invariant.name}

{invariant.purpose}
{reads}
* **Reported:** {invariant.row_means}
* **What to do:** {invariant.remedy}
"""


if __name__ == "__main__":
    sys.stdout.write(render())
