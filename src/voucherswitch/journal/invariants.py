"""What must hold in the journal at every committed moment (design §11), and asking it whether it does.

The statements are in `invariants.sql`, each with its sentence. All the changes that one message makes are one statement
of the path, so every invariant that follows from them holds in every snapshot, with the switch at work; the few that
come about only in time say so and have a grace. Run by the tests, by `voucherswitch verify` and by the minute check.
Reads only, and opens nothing that is sealed.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, TypeAlias
from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from msgspec import Struct

from voucherswitch.config.limits import INVARIANT_FULL_S_MAX, INVARIANT_RECENT_S_MAX, INVARIANT_ROWS_MAX
from voucherswitch.journal.statements import load

Connection: TypeAlias = asyncpg.Connection | PoolConnectionProxy

_PARAMETER: Final = re.compile(r"\$(\d+)")
_PARAMETERS_MAX: Final = 3

# Planned anew for each window: a plan for any window would suit neither a minute nor ten million rows. A minute is read
# row by row from indexes, also where PostgreSQL would rather read everything once: it must not depend on the size.
_FULL: Final = "SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL jit = off"
_RECENT: Final = (
    f"{_FULL}; SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"
)


class Invariant(Struct, frozen=True, kw_only=True):
    """One thing that must hold.

    Attributes:
        purpose: what holds, and what it would cost if it did not.
        row_means: what a row is that the statement returns.
        remedy: what an operator does about it.
        sql: the statement. Its parameters are, as far as it has them: the window's begin and end, and the keys of rows
            to look at whenever they changed.
    """

    name: str
    purpose: str
    row_means: str
    remedy: str
    sql: str

    @property
    def parameters(self) -> int:
        """How many parameters the statement takes."""
        return max((int(number) for number in _PARAMETER.findall(self.sql)), default=0)

    @property
    def takes_keys(self) -> bool:
        """Whether it looks at a window; one that does not reads little, and reads all of that each time."""
        return self.parameters == _PARAMETERS_MAX

    @property
    def only_full(self) -> bool:
        """Whether it is looked for only in all of the journal."""
        return self.parameters == 1


class Breach(Struct, frozen=True):
    """One row that breaks an invariant. `key` finds it again, in another run too."""

    key: str
    request_id: UUID | None
    found: str


class Finding(Struct, frozen=True, kw_only=True):
    """A broken invariant: what it means, what to do, and the first INVARIANT_ROWS_MAX of the rows that break it."""

    name: str
    purpose: str
    row_means: str
    remedy: str
    rows: tuple[Breach, ...]
    more: bool

    @property
    def count(self) -> int:
        """How many rows were read; with `more` there are others."""
        return len(self.rows)

    @property
    def examples(self) -> list[UUID]:
        """Requests to look at with `voucherswitch explain`."""
        return list(dict.fromkeys(row.request_id for row in self.rows if row.request_id is not None))

    def __str__(self) -> str:
        """One line for a log or a failed test."""
        rows = "; ".join(f"{row.request_id or row.key}: {row.found}" for row in self.rows[:3])
        return f"{self.name} ({self.count}{'+' if self.more else ''}): {rows}"


# What asyncpg sends as PostgreSQL's infinities: these two, and only without a time zone.
EVER: Final = datetime.min  # noqa: DTZ901
TO_THE_END: Final = datetime.max  # noqa: DTZ901


class Window(Struct, frozen=True):
    """The rows that changed in a span of time, and some that are looked at whenever they changed."""

    since: datetime = EVER
    until: datetime = TO_THE_END
    again: Mapping[str, Sequence[str]] = {}  # name of an invariant -> keys of its rows


ALL: Final = Window()


def _parse(name: str, text: str) -> Invariant:
    lines = text.splitlines()
    comments = [line.removeprefix("--").strip() for line in lines if line.startswith("--")]
    words = " ".join(comments)
    purpose, _, rest = words.partition(" A row: ")
    row_means, _, remedy = rest.partition(" Do: ")
    if not (purpose and row_means and remedy):
        raise ValueError(f"invariants.sql: {name} needs its sentence, `A row:` and `Do:`")
    sql = "\n".join(line for line in lines if not line.startswith("--")).strip()
    return Invariant(
        name=name,
        purpose=purpose,
        row_means=row_means[0].upper() + row_means[1:],
        remedy=remedy[0].upper() + remedy[1:],
        sql=sql,
    )


INVARIANTS: Final[tuple[Invariant, ...]] = tuple(
    _parse(name, text) for name, text in load("invariants.sql", folder="").items()
)
NAMED: Final = {invariant.name: invariant for invariant in INVARIANTS}


async def check(connection: Connection, window: Window = ALL) -> list[Finding]:
    """Look for what is broken, in all of the journal or in what changed in a window.

    Each statement sees a snapshot of its own, so a long check holds back no vacuum.

    Raises:
        asyncpg.PostgresError, OSError, TimeoutError: it could not be found out.
    """
    findings = [await check_one(connection, invariant, window) for invariant in INVARIANTS]
    return [finding for finding in findings if finding is not None]


async def check_one(connection: Connection, invariant: Invariant, window: Window = ALL) -> Finding | None:
    """Look for the rows that break one invariant; None: it holds.

    Raises:
        asyncpg.PostgresError, OSError, TimeoutError: it could not be found out.
    """
    values = (window.since, window.until, list(window.again.get(invariant.name, ())))
    timeout_s = INVARIANT_FULL_S_MAX if window.since == EVER else INVARIANT_RECENT_S_MAX
    # Bounded outside of the statement proper: a LIMIT in it would make PostgreSQL plan for an early first row, which
    # there is none of, by walking whole indexes.
    bounded = f"WITH broken AS MATERIALIZED ({invariant.sql}\n) SELECT * FROM broken LIMIT {INVARIANT_ROWS_MAX + 1}"  # noqa: S608
    async with connection.transaction():
        await connection.execute(_FULL if window.since == EVER else _RECENT)
        rows = await connection.fetch(bounded, *values[: invariant.parameters], timeout=timeout_s)
    if not rows:
        return None
    return Finding(
        name=invariant.name,
        purpose=invariant.purpose,
        row_means=invariant.row_means,
        remedy=invariant.remedy,
        rows=tuple(Breach(row["key"], row["request_id"], row["found"]) for row in rows[:INVARIANT_ROWS_MAX]),
        more=len(rows) > INVARIANT_ROWS_MAX,
    )
