"""What `voucherswitch verify` asks besides the invariants: does what is sealed open, and has the trace room.

Told as findings, like broken invariants. Reads only; what it opens it forgets.
"""

from datetime import timedelta
from typing import Final

import asyncpg

from voucherswitch.config.limits import INVARIANT_FULL_S_MAX
from voucherswitch.journal.invariants import Breach, Connection, Finding
from voucherswitch.journal.migrate import newest_revision
from voucherswitch.message.answers import unpack
from voucherswitch.message.states import Kind
from voucherswitch.security.sealed import ANSWER, REQUEST, transaction_context
from voucherswitch.security.vault import Vault, VaultError

SEALED: Final = "sealed_opens"
TRACE: Final = "trace_has_room"

# The oldest and the newest: a key that was changed or lost shows at one of the two ends.
_SAMPLE: Final = """
(SELECT request_id, generation, kind, fingerprint, request, answer
   FROM transaction WHERE request IS NOT NULL ORDER BY opened_at LIMIT $1)
UNION ALL
(SELECT request_id, generation, kind, fingerprint, request, answer
   FROM transaction WHERE request IS NOT NULL ORDER BY opened_at DESC LIMIT $1)
"""


async def lacks_migrations(connection: Connection) -> bool:
    """Tell whether the database lacks revisions of this release."""
    try:
        current = await connection.fetchval("SELECT version_num FROM alembic_version")
    except asyncpg.UndefinedTableError:
        return True
    return bool(current is None or current < newest_revision())


async def check_sealed(connection: Connection, vault: Vault, rows: int) -> Finding | None:
    """Open the sealed columns of the oldest and the newest requests, `rows` of each; None: every one opens.

    The code in the answer of a provision must have the fingerprint by which its voucher is found.
    """
    broken: dict[str, Breach] = {}
    for row in await connection.fetch(_SAMPLE, rows, timeout=INVARIANT_FULL_S_MAX):
        if reason := _trouble(row, vault):
            key = f"{row['request_id']} {row['generation']}"
            broken[key] = Breach(key, row["request_id"], reason)
    if not broken:
        return None
    return Finding(
        name=SEALED,
        purpose="The vault key of today opens what was sealed, and finds vouchers by their codes.",
        row_means="A request whose message or answer cannot be opened, or whose voucher is not found by its code.",
        remedy="Restore the vault key that sealed it, as the runbook says of a lost or wrong vault key.",
        rows=tuple(broken.values()),
        more=False,
    )


def _trouble(row: asyncpg.Record, vault: Vault) -> str | None:
    try:
        vault.open(row["request"], transaction_context(row["request_id"], row["generation"], REQUEST))
        if row["answer"] is None:
            return None
        answer = unpack(vault.open(row["answer"], transaction_context(row["request_id"], row["generation"], ANSWER)))
    except VaultError as error:
        return str(error)
    if row["kind"] != Kind.PROVISION or answer.voucher is None:
        return None
    found = vault.fingerprint(answer.voucher.code) == row["fingerprint"]
    return None if found else "the fingerprint is not that of the voucher's code"


async def check_trace(connection: Connection) -> Finding | None:
    """Look for tomorrow's partition of the trace; None: it is there."""
    tomorrow = await connection.fetchval("SELECT (now() AT TIME ZONE 'UTC')::date") + timedelta(days=1)
    partition = f"leg_{tomorrow:%Y%m%d}"
    if await connection.fetchval("SELECT to_regclass($1)", partition) is not None:
        return None
    return Finding(
        name=TRACE,
        purpose="Tomorrow's day of the trace exists before its first message.",
        row_means="A day without its partition: its messages go to `leg_default`, where no day is dropped.",
        remedy="See that a worker runs: it makes a week of days ahead, each hour and when it starts.",
        rows=(Breach(partition, None, f"there is no partition {partition}"),),
        more=False,
    )
