"""Flash's token endpoint: client credentials in, access tokens out (providers.md 9.1)."""

from typing import Final

from voucherswitch.providers.contract.simulator.provider import Reply
from voucherswitch.providers.contract.simulator.wires import Request
from voucherswitch.providers.flash.simulator.answers import encode

API_KEY: Final = "c2ltLWNsaWVudC1pZDpleGFtcGxlLWZsYXNoLXNlY3JldA=="
TOKEN_LIFE_S: Final = 3_600
TOKENS_KEPT_MAX: Final = 1_000  # the oldest go first

_BASIC: Final = f"Basic {API_KEY}".encode()
_BEARER: Final = b"Bearer "
_FORM_TYPE: Final = b"application/x-www-form-urlencoded"
_FORM: Final = b"grant_type=client_credentials"


def _refusal(status: int, error: str, description: str) -> Reply:
    return Reply(status, encode({"error": error, "error_description": description}))


BAD_CLIENT: Final = _refusal(401, "invalid_client", "Credentials refused")
BAD_GRANT: Final = _refusal(400, "unsupported_grant_type", "The form is not that of client credentials")
BAD_TOKEN: Final = _refusal(401, "invalid_token", "Access token missing, expired or unknown")


class Tokens:
    """The tokens that are out. They outlive a reset: who signs on knows nothing of the voucher platform behind it."""

    def __init__(self) -> None:
        self._expires_at: dict[str, float] = {}
        self._issued = 0

    def restart_numbers(self) -> None:
        """The next token is the sample's again."""
        self._issued = 0

    def issue(self, request: Request, now: float) -> Reply:
        """POST /token."""
        if request.header(b"authorization") != _BASIC:
            return BAD_CLIENT
        if request.header(b"content-type") != _FORM_TYPE or request.body != _FORM:
            return BAD_GRANT
        self._issued += 1
        token = f"sim-token-{self._issued:06d}"
        self._expires_at.pop(token, None)
        if len(self._expires_at) >= TOKENS_KEPT_MAX:
            del self._expires_at[next(iter(self._expires_at))]
        self._expires_at[token] = now + TOKEN_LIFE_S
        body = (
            f'{{"access_token": "{token}", "scope": "default", "token_type": "Bearer", "expires_in": {TOKEN_LIFE_S}}}'
        )
        return Reply(200, body.encode())

    def accepts(self, request: Request, now: float) -> bool:
        """Whether a call's token is good."""
        header = request.header(b"authorization") or b""
        if not header.startswith(_BEARER):
            return False
        return now < self._expires_at.get(header[len(_BEARER) :].decode("latin-1"), 0.0)

    def expire(self) -> int:
        """End them all; returns how many."""
        ended = len(self._expires_at)
        self._expires_at.clear()
        return ended
