"""Client certificates: only the right one, from the right authority, in its time, and never beyond its revocation."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from support.certificates import DAY, Authority, ClientTls, Issued
from support.client import Answer
from support.messages import a_provision
from support.originators import Originator
from support.processes import Process
from support.switch import Switch
from support.waiting import eventually
from support.wire import Wire
from voucherswitch.catalogue.certificates import add_certificate

CAREFUL: Final = Originator("22226001", {"redemption": True, "product_lookup": True})
NAMED: Final = Originator("22226002", {"redemption": True, "product_lookup": True})
FREE: Final = Originator("22226003", {"redemption": True, "product_lookup": True})


class Certified:
    """The shared switch, and originators with certificates: CAREFUL by its fingerprint, NAMED by its subject."""

    def __init__(self, switch: Switch, careful: Issued, named: Issued) -> None:
        self.switch = switch
        self.careful = careful
        self.named = named

    async def sale(self, by: Originator, own: Issued | None) -> Answer:
        """Sell on a connection with a certificate, or without one."""
        client = self.switch.tls_client(own)
        try:
            return await client.post("/vouchers", a_provision(by), by=by)
        finally:
            await client.close()


@pytest.fixture(scope="module")
async def certified(switch: Switch) -> Certified:
    """Register the originators; their certificates are valid and not revoked."""
    careful, named = switch.authority.client("careful till"), switch.authority.client("named till")
    for originator in (CAREFUL, NAMED, FREE):
        await switch.add_originator(originator)
    async with switch.pool.acquire() as connection, connection.transaction():
        await add_certificate(connection, CAREFUL.id, "fingerprint", careful.fingerprint)
        await add_certificate(connection, NAMED.id, "subject", named.subject)
    found = Certified(switch, careful, named)

    async def known() -> bool:
        answers = [await switch.client.get("/products", by=by) for by in (CAREFUL, NAMED)]
        return [answer.status for answer in answers] == [403, 403]

    await eventually(known, "certificates in the catalogue of the worker")
    return found


async def test_the_bound_certificate_and_the_password_sell(certified: Certified) -> None:
    for by, own in ((CAREFUL, certified.careful), (NAMED, certified.named)):
        answer = await certified.sale(by, own)
        assert answer.status == 201, answer


async def test_a_renewed_certificate_of_the_same_name_is_the_named_originators(certified: Certified) -> None:
    """By subject, whatever our authority issues to that name; by fingerprint, the one certificate alone."""
    assert (await certified.sale(NAMED, certified.switch.authority.client("named till"))).status == 201
    assert (await certified.sale(CAREFUL, certified.switch.authority.client("careful till"))).status == 403


async def test_n11_another_certificate_is_403_even_with_the_right_password(certified: Certified) -> None:
    """Another originator's, and one of the authority that belongs to nobody; an originator without any may not lend."""
    for by, own in ((CAREFUL, certified.named), (NAMED, certified.careful), (FREE, certified.careful)):
        answer = await certified.sale(by, own)
        assert (answer.status, answer.error_type) == (403, "AUTHENTICATION_ERROR"), answer
        assert "id" not in answer.body


async def test_n11_no_certificate_is_403_for_who_has_one(certified: Certified) -> None:
    """Over TLS where it is optional, and without TLS on the same machine."""
    assert (await certified.sale(CAREFUL, None)).status == 403
    assert (await certified.switch.client.post("/vouchers", a_provision(CAREFUL), by=CAREFUL)).status == 403


async def test_a_wrong_password_hears_nothing_of_certificates(certified: Certified) -> None:
    """Else the answer would tell who has a certificate, and when the password is right."""
    stranger = Originator(CAREFUL.id, password="wrong")
    for own in (None, certified.named, certified.careful):
        answer = await certified.sale(stranger, own)
        assert (answer.status, answer.error_type) == (401, "AUTHENTICATION_ERROR"), answer


@asynccontextmanager
async def _strict(switch: Switch, **settings: str) -> AsyncIterator[tuple[str, int, Process]]:
    """A worker of its own that requires certificates; host and port of its TLS listener."""
    port = switch.free_port()
    async with switch.lone_worker(TLS_CLIENT_CERTIFICATES="required", TLS_PORT=str(port), **settings) as (_, process):
        yield "127.0.0.1", port, process


async def _handshake(host: str, port: int, tls: ClientTls) -> bytes:
    """Ask over TLS and return what comes; b"" when the handshake is refused, however the refusal shows.

    In TLS 1.3 a client has finished before the server has seen its certificate: the refusal is what it reads.
    """
    try:
        reader, writer = await asyncio.open_connection(host, port, ssl=tls.context())
        try:
            writer.write(b"GET /openapi.json HTTP/1.1\r\nHost: switch\r\nConnection: close\r\n\r\n")
            async with asyncio.timeout(20):
                return await reader.read()
        finally:
            writer.transport.abort()
    except (ssl.SSLError, ConnectionError):
        return b""


async def test_whom_the_handshake_lets_in(switch: Switch, tmp_path: Path) -> None:
    """Required: nobody without, nobody of another authority, nobody outside the time, of another purpose, revoked."""
    authority, stranger = switch.authority, Authority(tmp_path / "other", "test authority")
    revoked = authority.client("revoked till")
    refused = {
        "none": None,
        "expired": authority.client("late till", starts=-2 * DAY, ends=-DAY),
        "not yet valid": authority.client("early till", starts=timedelta(hours=1)),
        "self-made": authority.client("self-made till", self_made=True),
        "another authority's": stranger.client("strange till"),
        "a server's": authority.client("server till", purpose=ExtendedKeyUsageOID.SERVER_AUTH),
        "revoked": revoked,
    }
    lists = authority.revoke(tmp_path / "revoked.pem", revoked)
    async with _strict(switch, TLS_CLIENT_REVOCATIONS_FILE=str(lists)) as (host, port, process):
        right = await _handshake(host, port, ClientTls(authority.path, authority.client("right till")))
        assert right.startswith(b"HTTP/1.1 200 ")
        for what, own in refused.items():
            answer = await _handshake(host, port, ClientTls(authority.path, own))
            assert answer == b"", f"a certificate that is {what} was let in"
        for why in ("none was shown", "certificate has expired", "certificate revoked"):

            async def told(why: str = why) -> bool:
                return why in process.text()

            await eventually(told, f"an operator is told: {why}")


async def test_a_list_that_is_out_of_date_lets_nobody_in_and_says_so(switch: Switch, tmp_path: Path) -> None:
    """What was revoked since is not on it."""
    lists = switch.authority.revoke(tmp_path / "old.pem", ends=-timedelta(minutes=1))
    own = switch.authority.client("any till")
    async with _strict(switch, TLS_CLIENT_REVOCATIONS_FILE=str(lists)) as (host, port, process):
        assert await _handshake(host, port, ClientTls(switch.authority.path, own)) == b""
        assert "revocation list out of date: no client certificate is accepted" in process.text()


async def test_a_revoked_certificate_loses_its_open_connection(switch: Switch, tmp_path: Path) -> None:
    """The list is read anew when it changes; another client's connection goes on."""
    lists = switch.authority.revoke(tmp_path / "revoked.pem")
    stolen, right = switch.authority.client("stolen till"), switch.authority.client("right till")
    stolen_tls, right_tls = ClientTls(switch.authority.path, stolen), ClientTls(switch.authority.path, right)
    async with _strict(switch, TLS_CLIENT_REVOCATIONS_FILE=str(lists)) as (host, port, _):
        async with _kept(host, port, stolen_tls) as thief, _kept(host, port, right_tls) as owner:
            await thief()
            await owner()
            switch.authority.revoke(lists, stolen)
            await eventually(_ends(thief, owner), "the end of the connection", within_s=30)
            assert await owner() == b"HTTP/1.1 200 OK"
        assert await _handshake(host, port, stolen_tls) == b""


@asynccontextmanager
async def _kept(host: str, port: int, tls: ClientTls) -> AsyncIterator[Callable[[], Awaitable[bytes]]]:
    """A connection that is kept: each call asks once more on it and returns the status line, b"" at its end."""
    reader, writer = await asyncio.open_connection(host, port, ssl=tls.context())

    async def ask() -> bytes:
        try:
            writer.write(b"GET /docs HTTP/1.1\r\nHost: switch\r\n\r\n")
            async with asyncio.timeout(20):
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:")
                await reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            return b""
        return head.partition(b"\r\n")[0]

    try:
        yield ask
    finally:
        writer.transport.abort()


def _ends(one: Callable[[], Awaitable[bytes]], other: Callable[[], Awaitable[bytes]]) -> Callable[[], Awaitable[bool]]:
    """Whether one connection has ended; keeps the other one in use meanwhile."""

    async def ended() -> bool:
        assert await other() == b"HTTP/1.1 200 OK"
        return await one() != b"HTTP/1.1 200 OK"

    return ended


async def test_a_certificate_that_is_taken_from_its_originator_is_403_on_the_open_connection(
    certified: Certified,
) -> None:
    switch = certified.switch
    lost = switch.authority.client("lost till")
    async with switch.pool.acquire() as connection, connection.transaction():
        await add_certificate(connection, CAREFUL.id, "fingerprint", lost.fingerprint)
    wire = Wire(switch, CAREFUL, switch.tls_root, ClientTls(switch.authority.path, lost))

    async def status() -> int:
        return (await wire.post("/vouchers", a_provision(CAREFUL))).status

    async def sells() -> bool:
        return await status() == 201

    async def refused() -> bool:
        return await status() == 403

    await eventually(sells, "the second certificate in the catalogue of the worker")
    sql = "DELETE FROM originator_certificate WHERE fingerprint = $1"
    await switch.pool.execute(sql, lost.fingerprint)
    await eventually(refused, "the catalogue without it")
    wire.close()
    assert (await certified.sale(CAREFUL, certified.careful)).status == 201
