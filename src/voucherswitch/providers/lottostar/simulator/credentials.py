"""Who may speak with Lottostar, by the proposed protocol: key, timestamp, signature, nonce, in this order (3.1)."""

import hmac
import re
from typing import Final

from voucherswitch.providers.contract.simulator.wires import Request
from voucherswitch.providers.lottostar.signing import canonical, signature

KEY_ID: Final = "LSK-EXAMPLE"
SECRET: Final = "example-lottostar-secret"  # noqa: S105 (invented, and the simulator's own)

TIMESTAMP_TOLERANCE_MS: Final = 120_000
NONCE_KEPT_S: Final = 600
NONCES_MAX: Final = 500_000  # beyond it the oldest are forgotten early

_TIMESTAMP = re.compile(r"[0-9]{1,16}")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


class Gate:
    """Checks the credentials of one request after the other and remembers the nonces."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """The first secret again, and no nonce used."""
        self.secret = SECRET
        self._nonces: dict[str, float] = {}  # nonce -> when it may be forgotten, in the order of their use

    def refusal_of(self, request: Request, now: float) -> str | None:
        """The error code of a request that may not pass; None burns its nonce."""
        if _text(request, b"x-ls-key") != KEY_ID:
            return "UNKNOWN_KEY"
        timestamp = _text(request, b"x-ls-timestamp")
        if not _TIMESTAMP.fullmatch(timestamp) or abs(int(timestamp) - now * 1000) > TIMESTAMP_TOLERANCE_MS:
            return "STALE_TIMESTAMP"
        nonce = _text(request, b"x-ls-nonce")
        message = canonical(request.method, request.target, timestamp, nonce, request.body)
        expected, sent = signature(self.secret, message), _text(request, b"x-ls-signature")
        if not hmac.compare_digest(expected.encode(), sent.encode()):
            return "BAD_SIGNATURE"
        if not _UUID.fullmatch(nonce):
            return "INVALID_REQUEST"
        return None if self._burn(nonce.lower(), now) else "NONCE_REUSED"

    def _burn(self, nonce: str, now: float) -> bool:
        """Use up a nonce; False: it was used before."""
        while self._nonces and next(iter(self._nonces.values())) < now:
            del self._nonces[next(iter(self._nonces))]
        if nonce in self._nonces:
            return False
        if len(self._nonces) >= NONCES_MAX:
            del self._nonces[next(iter(self._nonces))]
        self._nonces[nonce] = now + NONCE_KEPT_S
        return True


def _text(request: Request, name: bytes) -> str:
    return (request.header(name) or b"").decode("latin-1")
