"""What a trusted edge says in headers: `Forwarded` (RFC 7239), `Client-Cert` (RFC 9440); never `X-Forwarded-For`.

Only the connection's own source decides whether these headers are read at all (doors.py). Then they must be right: an
edge that passes on what it did not check is a hole, so what is missing, obscure or malformed is refused, not ignored.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from voucherswitch.config.limits import CLIENT_CERT_BYTES_MAX, FORWARDED_HOPS_MAX
from voucherswitch.interface.doors import Arrival
from voucherswitch.interface.gatekeeper import BASIC, UNIDENTIFIED, WRONG_CERTIFICATE
from voucherswitch.interface.http import as_bytes
from voucherswitch.security.peer import Address, ClientCertificate, Peer, source_of
from voucherswitch.security.refusals import Reason, RefusalLog, Unproven

UNKNOWN: Final = as_bytes(UNIDENTIFIED, {"www-authenticate": BASIC})
WRONG: Final = as_bytes(WRONG_CERTIFICATE.reply)

_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED: Final = r'"(?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[\t\x20-\x7e])*"'
_PAIR: Final = re.compile(rf"({_WORD})=({_WORD}|{_QUOTED})")
_NODE: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::[0-9]{1,5})?")


class EdgeError(Exception):
    """An edge does not say who speaks, or not in a way that can be relied on. The text says how."""


class Edges:
    """Reads who sent a request that came from a trusted edge."""

    def __init__(self, verify: Callable[[bytes], ClientCertificate] | None, *, required: bool) -> None:
        """Make it.

        Args:
            verify: reads the DER of a client certificate that an edge passes on, and raises ValueError unless it is
                one that we would accept ourselves. None: no authority is configured, and the header counts for nothing.
            required: whether there must be one.
        """
        self._verify: Final = verify
        self._required: Final = required
        self._refusals: Final = RefusalLog()

    def peer(self, arrival: Arrival, headers: Iterable[tuple[bytes, bytes]], native: Peer) -> Peer | bytes:
        """Return who is behind an edge, or what the request is answered. `native` is the edge itself."""
        forwarded = [value for name, value in headers if name == b"forwarded"]
        try:
            source = source_behind(forwarded, arrival.door.is_edge)
        except EdgeError as error:
            return self._refuse(native.source, Unproven(Reason.EDGE, detail=str(error)), UNKNOWN)
        if not arrival.door.admits_behind_edge(source):
            # Not closed without a word, as at our own door: edges take that for a fault of ours and pass us over.
            return self._refuse(source, Unproven(Reason.SOURCE), UNKNOWN)
        if arrival.door.tls or self._verify is None:
            return Peer(source, native.certificate)
        value = next((value for name, value in headers if name == b"client-cert"), None)
        if value is None:
            if not self._required:
                return Peer(source)
            return self._refuse(source, Unproven(Reason.CERTIFICATE, detail="no Client-Cert header"), WRONG)
        try:
            return Peer(source, self._verify(client_certificate(value)))
        except (EdgeError, ValueError) as error:
            return self._refuse(source, Unproven(Reason.CERTIFICATE, detail=str(error)), WRONG)

    def _refuse(self, source: Address, why: Unproven, answer: bytes) -> bytes:
        self._refusals.note(source, why)
        return answer


def source_behind(forwarded: Iterable[bytes], is_edge: Callable[[Address], bool]) -> Address:
    """Return the nearest source that is no edge of ours: what the last of our edges says of whom it heard from.

    Args:
        forwarded: the values of all `Forwarded` headers, in their order.
        is_edge: whether what an address says of others is believed.

    Raises:
        EdgeError: there is none, it hides who speaks, or it is malformed.
    """
    text = ", ".join(value.decode("latin-1") for value in forwarded)
    if not text.strip():
        raise EdgeError("no Forwarded header")
    hops = list(_hops(text))
    for hop in reversed(hops):
        source = _node(hop)
        if not is_edge(source):
            return source
    raise EdgeError("Forwarded names edges only")


def _hops(text: str) -> Iterator[str | None]:
    """The `for` of each element; None: it has none."""
    position, found, pairs = 0, 0, dict[str, str]()
    while True:
        position = _blank(text, position)
        match = _PAIR.match(text, position)
        if match is None:
            raise EdgeError("Forwarded is malformed")
        name, value = match[1].lower(), match[2]
        if name in pairs:
            raise EdgeError("Forwarded says something twice")
        pairs[name] = re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
        position = match.end()
        if text[position : position + 1] == ";":
            position += 1
            continue
        position = _blank(text, position)
        found += 1
        if found > FORWARDED_HOPS_MAX:
            raise EdgeError(f"Forwarded has more than {FORWARDED_HOPS_MAX} hops")
        yield pairs.get("for")
        pairs = {}
        if position == len(text):
            return
        if text[position] != ",":
            raise EdgeError("Forwarded is malformed")
        position += 1


def _blank(text: str, position: int) -> int:
    while text[position : position + 1] in (" ", "\t"):
        position += 1
    return position


def _node(hop: str | None) -> Address:
    match = None if hop is None else _NODE.fullmatch(hop)
    if match is None:
        raise EdgeError("Forwarded hides who speaks")
    try:
        source = source_of(match[1] or match[2])
    except ValueError:
        raise EdgeError("Forwarded names no address") from None
    if (match[1] is None) != (":" not in (match[1] or match[2])):
        raise EdgeError("Forwarded names no address")
    return source


def client_certificate(value: bytes) -> bytes:
    """Return the DER of a `Client-Cert` header: one byte sequence of RFC 8941, without parameters.

    Raises:
        EdgeError: it is not that.
    """
    content = value.strip(b" ")
    if len(content) > CLIENT_CERT_BYTES_MAX or len(content) < 3 or content[:1] != b":" or content[-1:] != b":":
        raise EdgeError("Client-Cert is no byte sequence")
    try:
        return base64.b64decode(content[1:-1], validate=True)
    except binascii.Error:
        raise EdgeError("Client-Cert is no base64") from None
