"""Step 4 of the checks: who sent a request, and whether he may (interface.md §9, N1 to N11).

The one place where it is decided. What each way of proving oneself means is below, in `security`.
"""

from typing import Final

from msgspec import Struct
from starlette.requests import Request

from voucherswitch.catalogue.snapshot import Catalogue, Originator
from voucherswitch.interface import errors
from voucherswitch.interface.admission import OverloadedError
from voucherswitch.interface.turn import header_values
from voucherswitch.message.codes import ErrorType
from voucherswitch.security.basic import BasicAuthenticator, ChecksBusyError
from voucherswitch.security.oauth.bearer import BearerAuthenticator
from voucherswitch.security.oauth.scopes import Scope
from voucherswitch.security.peer import PEER, Peer
from voucherswitch.security.refusals import Reason, RefusalLog, Unproven
from voucherswitch.switch.exchange import Reply

BASIC: Final = 'Basic realm="suv", charset="UTF-8"'
BEARER: Final = 'Bearer realm="suv"'


class Denied(Struct, frozen=True):
    """Why a request is not served: what it is answered, and how its sender may prove himself instead."""

    reply: Reply
    challenges: tuple[str, ...] = ()


# A source that is not the originator's own hears the same: whoever stole a password must not learn that it is right.
UNIDENTIFIED: Final = errors.plain(401, ErrorType.AUTHENTICATION_ERROR, "Originator not identified.")
WRONG_TOKEN: Final = Denied(UNIDENTIFIED, (f'{BEARER}, error="invalid_token"',))
WRONG_CERTIFICATE: Final = Denied(
    errors.plain(403, ErrorType.AUTHENTICATION_ERROR, "The client certificate is not one of this originator's.")
)
# By the scope that is missing.
NOT_ALLOWED: Final = {
    scope: Denied(
        errors.plain(403, ErrorType.AUTHENTICATION_ERROR, f"The token does not allow {scope}."),
        (f'{BEARER}, error="insufficient_scope", scope="{scope}"',),
    )
    for scope in Scope
}


class Gatekeeper:
    """Says who sent a request. None for `basic` or `bearer`: nobody may prove himself that way."""

    def __init__(
        self, basic: BasicAuthenticator | None, bearer: BearerAuthenticator | None, refusals: RefusalLog
    ) -> None:
        self._basic: Final = basic
        self._bearer: Final = bearer
        self._refusals: Final = refusals
        challenges = ((basic, BASIC), (bearer, BEARER))
        self._unproved: Final = Denied(UNIDENTIFIED, tuple(text for way, text in challenges if way is not None))

    async def identify(self, request: Request, catalogue: Catalogue, needed: Scope) -> Originator | Denied:
        """Return whose request it is, or why it is not served. `needed` is what a token must allow.

        Raises:
            OverloadedError: too many passwords wait to be checked.
        """
        peer: Peer = request.scope[PEER]
        credentials = header_values(request.scope, b"authorization")
        if len(credentials) != 1:  # of two, somebody before us may have looked at the other
            reason = Reason.MALFORMED if credentials else Reason.NO_CREDENTIALS
            return self._refused(peer, Unproven(reason), self._unproved)
        scheme, _, value = credentials[0].partition(" ")
        match scheme.lower():
            case "basic" if self._basic is not None:
                try:
                    sender = await self._basic.identify(credentials[0], catalogue.originators, peer.source)
                except ChecksBusyError as error:
                    raise OverloadedError(str(error)) from error
                if isinstance(sender, Unproven):
                    return self._refused(peer, sender, self._unproved)
                scopes = None
            case "bearer" if self._bearer is not None:
                proved = await self._bearer.identify(value.strip(" "), peer, catalogue)
                if isinstance(proved, Unproven):
                    return self._refused(peer, proved, WRONG_TOKEN)
                sender, scopes = proved.sender, proved.scopes
            case _:
                return self._refused(peer, Unproven(Reason.NO_CREDENTIALS), self._unproved)
        if not sender.may_present(peer.certificate):
            return self._refused(peer, Unproven(Reason.CERTIFICATE, sender.id), WRONG_CERTIFICATE)
        if scopes is not None and needed not in scopes:
            return self._refused(peer, Unproven(Reason.SCOPE, sender.id, detail=needed), NOT_ALLOWED[needed])
        return sender

    def _refused(self, peer: Peer, unproven: Unproven, denied: Denied) -> Denied:
        self._refusals.note(peer.source, unproven)
        return denied
