"""Failed sign-ins, counted by name and by address, and kept under a keyed hash.

A transaction that tries a password or a code holds both rows until it ends: attempts at one name go one after the
other, and no two of them find the same count.
"""

from datetime import datetime, timedelta
from ipaddress import IPv6Address, IPv6Network

import structlog
from msgspec import Struct

from voucherswitch.catalogue.store import Connection
from voucherswitch.people.audit import Event, record
from voucherswitch.people.lockout import ADDRESS, NAME, OPEN, Guard, Rule, failed
from voucherswitch.people.people import People, Visitor, clock
from voucherswitch.security.peer import source_of

log = structlog.get_logger(__name__)

LOCKED = "sign_in_locked"


class Gates(Struct, frozen=True, kw_only=True):
    """The guards of one attempt, held."""

    now: datetime
    address_key: bytes
    name_key: bytes
    address: Guard
    name: Guard

    @property
    def address_shut_for(self) -> timedelta | None:
        """How much longer nobody may try from this address; None: it may be tried."""
        return self.address.shut_for(self.now)

    @property
    def name_shut(self) -> bool:
        """Whether this name is shut."""
        return self.name.shut_for(self.now) is not None


async def hold(connection: Connection, people: People, visitor: Visitor, name: str) -> Gates:
    """Read and hold the guards of a name and an address until the transaction ends; the address first, always.

    The name's is not held, and open, while the address is shut.
    """
    address_key = people.vault.fingerprint(f"sign-in address {_site(visitor.ip)}")
    name_key = _name_key(people, name)
    address, now = await _held(connection, address_key)
    of_name = OPEN
    if address.shut_for(now) is None:  # else nothing is tried, and no row is made for each name that somebody makes up
        of_name, now = await _held(connection, name_key)
    return Gates(now=now, address_key=address_key, name_key=name_key, address=address, name=of_name)


async def _held(connection: Connection, key: bytes) -> tuple[Guard, datetime]:
    """A guard, and the time at which it was had: another attempt may have held it for a while."""
    await connection.execute("INSERT INTO sign_in_guard (guard_key) VALUES ($1) ON CONFLICT DO NOTHING", key)
    row = await connection.fetchrow(
        "SELECT failed_at, run, shut_until FROM sign_in_guard WHERE guard_key = $1 FOR UPDATE", key
    )
    assert row is not None  # put there just now, and nobody deletes one that is as new
    guard = Guard(failed_at=tuple(row["failed_at"]), run=row["run"], shut_until=row["shut_until"])
    return guard, await clock(connection)


def _site(ip: str | None) -> str:
    """What counts as one address: of IPv6 the /64 that one site has."""
    if ip is None:
        return "unknown"
    address = source_of(ip)
    return str(IPv6Network((address, 64), strict=False)) if isinstance(address, IPv6Address) else str(address)


async def note_failure(connection: Connection, gates: Gates, visitor: Visitor, user_id: str | None) -> None:
    """Count a failure; a name or an address that is shut by it is told in the audit trail and to whoever watches."""
    for what, key, guard, rule in (
        ("address", gates.address_key, gates.address, ADDRESS),
        ("name", gates.name_key, gates.name, NAME),
    ):
        after = failed(guard, rule, gates.now)
        await _put(connection, key, after)
        if guard.shut_for(gates.now) is None and (shut := after.shut_for(gates.now)) is not None:
            await _tell(connection, what, visitor, user_id, after, rule, shut)


async def _tell(
    connection: Connection, what: str, visitor: Visitor, user_id: str | None, after: Guard, rule: Rule, shut: timedelta
) -> None:
    grave = shut == rule.within.shut_for
    told = Event(
        actor=visitor.as_actor(user_id), action="user.locked", object_kind="address" if what == "address" else "user",
        object_id=visitor.ip if what == "address" else user_id, outcome="REFUSED", after={"until": after.shut_until},
    )  # fmt: skip
    await record(connection, told)
    log.log(
        _WARNING if grave else _INFO, "sign-in is shut after failures", alert=LOCKED if grave else None, of=what,
        user=user_id, ip=visitor.ip, minutes=shut.total_seconds() / 60,
    )  # fmt: skip


async def note_success(connection: Connection, gates: Gates) -> None:
    """Somebody has proved who he is: his name's failures are forgotten. His address keeps its own."""
    await _put(connection, gates.name_key, OPEN)


async def forget(connection: Connection, people: People, name: str) -> bool:
    """Unlock a name; False: nothing was known of it."""
    key = _name_key(people, name)
    return await connection.fetchval("DELETE FROM sign_in_guard WHERE guard_key = $1 RETURNING true", key) is not None


def _name_key(people: People, name: str) -> bytes:
    # Whatever was typed is counted, also what no text can hold.
    return people.vault.fingerprint(f"sign-in name {name.lower()}".encode("utf-8", "replace").decode())


async def _put(connection: Connection, key: bytes, guard: Guard) -> None:
    await connection.execute(
        "UPDATE sign_in_guard SET failed_at = $2, run = $3, shut_until = $4, changed_at = clock_timestamp()"
        " WHERE guard_key = $1",
        key, list(guard.failed_at), guard.run, guard.shut_until,
    )  # fmt: skip


_INFO, _WARNING = 20, 30
