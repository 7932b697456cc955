"""Which client certificates are bound to which originator (N11)."""

from typing import Final

import asyncpg

from voucherswitch.catalogue.store import CatalogueError, Connection
from voucherswitch.config.limits import CERTIFICATES_PER_ORIGINATOR_MAX

_BY: Final = ("fingerprint", "subject")


async def add_certificate(connection: Connection, originator_id: str, by: str, value: str) -> None:
    """Bind a certificate by its `fingerprint` or `subject`.

    Raises:
        CatalogueError: there is no such originator, it has the certificate already, or it has too many.
    """
    assert by in _BY
    await _hold(connection, originator_id)
    if len(await certificates_of(connection, originator_id)) >= CERTIFICATES_PER_ORIGINATOR_MAX:
        raise CatalogueError(
            f"originator {originator_id} has {CERTIFICATES_PER_ORIGINATOR_MAX} certificates: remove one, or name them "
            "by their subject"
        )
    text = f"INSERT INTO originator_certificate (originator_id, {by}) VALUES ($1, $2)"  # noqa: S608 (one of two words)
    try:
        await connection.execute(text, originator_id, value)
    except asyncpg.ForeignKeyViolationError:
        raise CatalogueError(f"originator {originator_id} is not known; see: voucherswitch originator list") from None
    except asyncpg.UniqueViolationError:
        raise CatalogueError(f"originator {originator_id} has {by} {value} already") from None


async def remove_certificate(connection: Connection, originator_id: str, by: str, value: str) -> int:
    """Unbind a certificate; return how many the originator still has.

    Raises:
        CatalogueError: it has no such certificate.
    """
    assert by in _BY
    await _hold(connection, originator_id)
    text = f"DELETE FROM originator_certificate WHERE originator_id = $1 AND {by} = $2 RETURNING 1"  # noqa: S608 (as above)
    if await connection.fetchval(text, originator_id, value) is None:
        raise CatalogueError(
            f"originator {originator_id} has no {by} {value}; see: voucherswitch originator certificate list"
        )
    return len(await certificates_of(connection, originator_id))


async def certificates_of(connection: Connection, originator_id: str) -> list[asyncpg.Record]:
    """What is bound to an originator, oldest first."""
    found: list[asyncpg.Record] = await connection.fetch(
        "SELECT fingerprint, subject, added_at FROM originator_certificate WHERE originator_id = $1 ORDER BY added_at",
        originator_id,
    )
    return found


async def _hold(connection: Connection, originator_id: str) -> None:
    """Let nobody else change this originator until the transaction ends: what is counted must stay so."""
    known = await connection.fetchval("SELECT true FROM originator WHERE originator_id = $1 FOR UPDATE", originator_id)
    if not known:
        raise CatalogueError(f"originator {originator_id} is not known; see: voucherswitch originator list")
