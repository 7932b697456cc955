"""What time does to people's rows: who has not signed in for long is disabled, what is over is forgotten."""

from typing import Final

import structlog

from voucherswitch.catalogue.store import Connection
from voucherswitch.config.limits import DORMANT_DAYS, PEOPLE_FORGOTTEN_DAYS
from voucherswitch.people.audit import Actor
from voucherswitch.people.people import PeopleError, Policy
from voucherswitch.people.user_changes import set_enabled

log = structlog.get_logger(__name__)

WORKER: Final = Actor(kind="system", id="system:worker")

_OLD: Final = (
    "DELETE FROM operator_session"
    " WHERE coalesce(ended_at, begun_at) < clock_timestamp() - $1::integer * interval '1 day'",
    "DELETE FROM invitation WHERE expires_at < clock_timestamp() - $1::integer * interval '1 day'",
    "DELETE FROM sign_in_guard WHERE changed_at < clock_timestamp() - $1::integer * interval '1 day'",
    "DELETE FROM oidc_flow WHERE expires_at < clock_timestamp() - $1::integer * interval '1 hour'",
)


async def disable_dormant(connection: Connection, policy: Policy) -> list[str]:
    """Disable users who have not signed in for DORMANT_DAYS; returns their names. The last admins stay."""
    rows = await connection.fetch(
        "SELECT name FROM operator_user WHERE enabled AND NOT break_glass"
        " AND coalesce(signed_in_at, created_at) < clock_timestamp() - $1::integer * interval '1 day' ORDER BY name",
        DORMANT_DAYS,
    )
    disabled = []
    for row in rows:
        try:
            await set_enabled(
                connection, WORKER, row["name"], policy, enabled=False, reason=f"dormant for {DORMANT_DAYS} days"
            )
        except PeopleError as error:
            log.warning("dormant user stays enabled", user=row["name"], reason=str(error))
            continue
        disabled.append(row["name"])
    return disabled


async def forget_old(connection: Connection) -> None:
    """Forget sessions, invitations, guards and flows that are long over; the audit trail keeps what they were."""
    for statement in _OLD:
        await connection.execute(statement, PEOPLE_FORGOTTEN_DAYS)
