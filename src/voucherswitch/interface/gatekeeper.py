"""Step 4 of the checks: who sent a request, and whether he may (interface.md §9, N1 to N11).

The one place where it is decided. What each way of proving oneself means is below, in `security`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from msgspec import Struct
from starlette.requests import Request

from voucherswitch.catalogue.snapshot import Originator
from voucherswitch.interface import errors
from voucherswitch.message.codes import ErrorType
from voucherswitch.security.basic import BasicAuthenticator
from voucherswitch.security.peer import PEER, Peer
from voucherswitch.switch.exchange import Reply

CHALLENGE: Final = 'Basic realm="suv", charset="UTF-8"'


class Denied(Struct, frozen=True):
    """Why a request is not served: what it is answered, and with which headers."""

    reply: Reply
    headers: Mapping[str, str] = MappingProxyType({})


# A source that is not the originator's own hears the same: whoever stole a password must not learn that it is right.
UNIDENTIFIED: Final = Denied(
    errors.plain(401, ErrorType.AUTHENTICATION_ERROR, "Originator not identified."), {"WWW-Authenticate": CHALLENGE}
)
WRONG_CERTIFICATE: Final = Denied(
    errors.plain(403, ErrorType.AUTHENTICATION_ERROR, "The client certificate is not one of this originator's.")
)


class Gatekeeper:
    """Says who sent a request."""

    def __init__(self, basic: BasicAuthenticator) -> None:
        self._basic: Final = basic

    async def identify(self, request: Request, originators: Mapping[str, Originator]) -> Originator | Denied:
        """Return whose request it is, or why it is not served."""
        peer: Peer = request.scope[PEER]
        originator = await self._basic.identify(request.headers.get("authorization"), originators)
        if originator is None or not originator.may_come_from(peer.source):
            return UNIDENTIFIED
        if not originator.may_present(peer.certificate):
            return WRONG_CERTIFICATE
        return originator
