"""A certificate that an edge passes on is believed only if we would have accepted it ourselves (RFC 9440)."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from support.certificates import DAY, Authority, ClientTls, Issued
from support.client import Answer
from support.edge import Edge, client_cert
from support.listener import Place
from support.messages import a_provision
from support.originators import Originator
from support.raw import connected
from support.switch import Switch
from support.waiting import eventually
from support.wire import Wire
from voucherswitch.catalogue.certificates import add_certificate
from voucherswitch.interface.edges import EdgeError, client_certificate
from voucherswitch.security.tls import Tls


def der(issued: Issued) -> bytes:
    """A certificate as an edge passes it on."""
    return issued.certificate.public_bytes(Encoding.DER)


def test_only_a_certificate_of_our_authority_in_its_time_for_clients_and_not_revoked(tmp_path: Path) -> None:
    authority, other = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    now = datetime.now(UTC)
    good, revoked = authority.client("till"), authority.client("stolen")
    tls = Tls(
        context=None,  # type: ignore[arg-type]  # nobody shakes hands here
        ends=now + DAY,
        revoked=frozenset({(revoked.certificate.issuer.rfc4514_string(), revoked.certificate.serial_number)}),
        authorities=(authority.own.certificate,),
    )

    assert tls.verified(der(good), now).fingerprint == good.fingerprint
    for bad in (
        revoked,
        other.client("till"),
        authority.client("till", self_made=True),
        authority.client("till", starts=-2 * DAY, ends=-DAY),
        authority.client("till", starts=DAY, ends=2 * DAY),
        authority.client("till", purpose=ExtendedKeyUsageOID.SERVER_AUTH),
    ):
        with pytest.raises(ValueError):  # noqa: PT011 - each has its own text
            tls.verified(der(bad), now)
    with pytest.raises(ValueError):  # noqa: PT011 - as above
        tls.verified(b"no certificate", now)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"::",
        b":",
        b"aGVsbG8=",
        b":aGVsbG8=",
        b":aGVsbG8",
        b":a b:",
        b":aGVsbG8=:;a=b",
        b":" + b"A" * 20_000 + b":",
    ],
)
def test_a_header_that_is_no_byte_sequence_is_refused(value: bytes) -> None:
    with pytest.raises(EdgeError):
        client_certificate(value)


def test_a_byte_sequence_is_read() -> None:
    assert client_certificate(b" :" + base64.b64encode(b"hello") + b": ") == b"hello"


# Of loopback, but an edge: what it passes on is judged as if it came from outside.
EDGE: Final = "127.0.0.9"
CLIENT: Final = "127.0.0.1"
BOUND: Final = Originator("22227001", {"product_lookup": True})
OTHERS: Final = Originator("22227002", {"product_lookup": True})
FREE: Final = Originator("22227003", {"product_lookup": True})


@dataclass(frozen=True)
class Behind:
    """A worker behind an edge, and whose certificates are whose. It looks at a revocation list of its own."""

    switch: Switch
    worker: Place
    worker_tls: Place
    url: str  # of the edge
    revocations: Path
    bound: Issued
    others: Issued
    stranger: Authority

    def wire(self, own: Issued | None, by: Originator = BOUND) -> Wire:
        """A connection to the edge, with a certificate or without."""
        return Wire(self.switch, by, self.url, ClientTls(self.switch.authority.path, own))

    async def sale(self, own: Issued | None, by: Originator = BOUND) -> Answer:
        """A sale over a connection of its own."""
        return await self.wire(own, by).post("/vouchers", a_provision(by), keep=False)

    async def told(self, *headers: bytes, source: str = EDGE, tls: ClientTls | None = None) -> tuple[int, str]:
        """What is answered to bytes from the address of the edge, or another: status and kind of error."""
        head = self.switch.request_head("GET", "/suv/v1/products", by=BOUND)
        sent = b"\r\n".join([head[:-4], b"Forwarded: for=" + CLIENT.encode(), *headers, b"", b""])
        address, context = (self.worker, None) if tls is None else (self.worker_tls, tls.context())
        async with connected(address, source=source, tls=context) as raw:
            await raw.send(sent)
            status, _, body = await raw.answer()
        return status, "" if status == 200 else json.loads(body)["errorType"]


@pytest.fixture(scope="module")
async def tills(switch: Switch) -> tuple[Issued, Issued]:
    """The certificates of BOUND and of OTHERS."""
    bound, others = switch.authority.client("bound till"), switch.authority.client("others till")
    for originator, own in ((BOUND, bound), (OTHERS, others), (FREE, None)):
        await switch.register(originator)
        if own is not None:
            await bind(switch, originator, own)
    return bound, others


async def bind(switch: Switch, originator: Originator, own: Issued) -> None:
    """Make a certificate one of an originator's."""
    async with switch.pool.acquire() as connection, connection.transaction():
        await add_certificate(connection, originator.id, "fingerprint", own.fingerprint)


@asynccontextmanager
async def behind(
    switch: Switch, tills: tuple[Issued, Issued], folder: Path, asked: str = "optional"
) -> AsyncIterator[Behind]:
    """Start it; certificates are `asked` for so."""
    stranger = Authority(folder / "stranger", "test authority")
    settings = {
        "TRUSTED_EDGES": EDGE,
        "INTERFACE_SOURCES": CLIENT,
        "TLS_SOURCES": CLIENT,
        "TLS_CLIENT_CERTIFICATES": asked,
        "TLS_CLIENT_REVOCATIONS_FILE": str(switch.authority.revoke(folder / "revoked.pem")),
    }
    port = switch.free_port()
    async with switch.lone_worker(TLS_PORT=str(port), **settings) as (client, _):
        worker = "127.0.0.1", int(client.root.rpartition(":")[2])
        edge = Edge(switch.server, [switch.authority.own, stranger.own], worker, EDGE)
        async with edge.listening() as url:
            yield Behind(switch, worker, ("127.0.0.1", port), url, folder / "revoked.pem", *tills, stranger)


@pytest.fixture(scope="module")
async def optional(
    switch: Switch, tills: tuple[Issued, Issued], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Behind]:
    """Who has certificates must show one of them."""
    async with behind(switch, tills, tmp_path_factory.mktemp("edge")) as found:
        yield found


async def test_n11_behind_an_edge_the_own_certificate_and_the_password_sell(optional: Behind) -> None:
    assert (await optional.sale(optional.bound)).status == 201
    assert (await optional.sale(None, FREE)).status == 201


async def test_n11_behind_an_edge_anothers_certificate_or_none_is_403(optional: Behind) -> None:
    for own, by in ((optional.others, BOUND), (optional.bound, OTHERS), (optional.bound, FREE), (None, BOUND)):
        answer = await optional.sale(own, by)
        assert (answer.status, answer.error_type) == (403, "AUTHENTICATION_ERROR"), (by, answer)
        assert "id" not in answer.body


async def test_a_certificate_that_the_edge_should_not_have_taken_is_403(optional: Behind) -> None:
    """Each would be the right one but for one thing; the edge has looked at none of them."""
    authority = optional.switch.authority
    late = authority.client("bound till", starts=-2 * DAY, ends=-DAY)
    strange = optional.stranger.client("bound till")
    for own in (late, strange):
        await bind(optional.switch, BOUND, own)
    await optional.switch.caught_up()
    for own in (late, strange):
        assert (await optional.sale(own)).status == 403, own.subject
    early = authority.client("bound till", starts=DAY, ends=2 * DAY)
    servers = authority.client("bound till", purpose=ExtendedKeyUsageOID.SERVER_AUTH)
    for own in (late, early, strange, servers, authority.client("bound till", self_made=True)):
        assert await optional.told(client_cert(der(own))) == (403, "AUTHENTICATION_ERROR"), own.subject


async def test_a_certificate_that_is_revoked_is_403_on_the_open_connection_of_the_edge(optional: Behind) -> None:
    """It was believed a moment ago, and is in no memory."""
    switch = optional.switch
    stolen = switch.authority.client("stolen till")
    await bind(switch, BOUND, stolen)
    wire = optional.wire(stolen)

    async def status() -> int:
        return (await wire.post("/vouchers", a_provision(BOUND))).status

    async def sells() -> bool:
        return await status() == 201

    async def refused() -> bool:
        return await status() == 403

    await eventually(sells, "the certificate in the catalogue of the worker")
    switch.authority.revoke(optional.revocations, stolen)
    await eventually(refused, "the new list", within_s=30)
    wire.close()
    assert (await optional.sale(optional.bound)).status == 201


async def test_a_certificate_that_an_edge_passes_on_malformed_or_twice_is_refused(optional: Behind) -> None:
    right = client_cert(der(optional.bound))
    assert await optional.told(right) == (200, "")
    assert await optional.told(right, right) == (400, "FORMAT_ERROR")
    assert await optional.told(client_cert(der(optional.others)), right) == (400, "FORMAT_ERROR")
    for malformed in (
        b"Client-Cert:",
        b"Client-Cert: " + base64.b64encode(der(optional.bound)),
        right[:-1],
        right + b", " + right.partition(b" ")[2],
        right + b";a=1",
        right.replace(b": :", b": :!"),
        client_cert(b"no certificate"),
        client_cert(der(optional.bound)[:-10]),
        client_cert(optional.bound.pem),
    ):
        assert await optional.told(malformed) == (403, "AUTHENTICATION_ERROR"), malformed


async def test_a_certificate_in_a_header_of_anybody_else_is_none(optional: Behind) -> None:
    """From an address that is no edge; and over TLS, where the handshake alone says whose it is, from edges too."""
    right = client_cert(der(optional.bound))
    bare, own = (ClientTls(optional.switch.authority.path, shown) for shown in (None, optional.bound))
    assert await optional.told(right, source=CLIENT) == (403, "AUTHENTICATION_ERROR")
    for source in (CLIENT, EDGE):
        assert await optional.told(right, source=source, tls=bare) == (403, "AUTHENTICATION_ERROR"), source
        assert await optional.told(source=source, tls=own) == (200, ""), source


async def test_where_certificates_are_required_an_edge_passes_nobody_on_without(
    switch: Switch, tills: tuple[Issued, Issued], tmp_path: Path
) -> None:
    """Nor one that has none registered; and who has is not served without, whatever he says to the edge."""
    async with behind(switch, tills, tmp_path, "required") as strict:
        assert (await strict.sale(strict.bound)).status == 201
        for by in (BOUND, FREE):
            answer = await strict.sale(None, by)
            assert (answer.status, answer.error_type) == (403, "AUTHENTICATION_ERROR"), by
