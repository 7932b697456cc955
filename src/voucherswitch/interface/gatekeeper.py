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
from voucherswitch.interface.admission import OverloadedError
from voucherswitch.message.codes import ErrorType
from voucherswitch.security.basic import BasicAuthenticator, ChecksBusyError
from voucherswitch.security.peer import PEER, Peer
from voucherswitch.security.refusals import Reason, RefusalLog, Unproven
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
        self._refusals: Final = RefusalLog()

    async def identify(self, request: Request, originators: Mapping[str, Originator]) -> Originator | Denied:
        """Return whose request it is, or why it is not served.

        Raises:
            OverloadedError: too many passwords wait to be checked.
        """
        peer: Peer = request.scope[PEER]
        authorization = request.headers.get("authorization")
        try:
            originator = await self._basic.identify(authorization, originators, peer.source)
        except ChecksBusyError as error:
            raise OverloadedError(str(error)) from error
        if isinstance(originator, Unproven):
            self._refusals.note(peer.source, originator)
            return UNIDENTIFIED
        if not originator.may_present(peer.certificate):
            self._refusals.note(peer.source, Unproven(Reason.CERTIFICATE, originator.id))
            return WRONG_CERTIFICATE
        return originator
