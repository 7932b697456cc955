"""Why somebody was not believed, and the log that operators read it in.

Whoever is refused hears the same whatever the reason (N7). The log is bounded: a flood of refusals must not become a
flood of lines.
"""

import time
from enum import StrEnum

import structlog
from msgspec import Struct

from voucherswitch.config.limits import LOGGED_NAME_CHARS_MAX, REFUSALS_LOGGED_PER_S
from voucherswitch.security.peer import Address

log = structlog.get_logger(__name__)


class Reason(StrEnum):
    """Why a request does not prove who sent it."""

    NO_CREDENTIALS = "no credentials"
    MALFORMED = "malformed credentials"
    UNKNOWN = "unknown originator"
    WRONG_PASSWORD = "wrong password"  # noqa: S105 - says what is wrong
    DISABLED = "right password, originator disabled"
    FOREIGN_SOURCE = "right password, but not from this source"
    LOCKED_OUT = "locked out after failures"
    CERTIFICATE = "client certificate is not its own"
    TOKEN = "token does not count"  # noqa: S105 - says what is wrong
    SCOPE = "token does not allow it"
    EDGE = "trusted edge does not say who speaks"
    HANDSHAKE = "client certificate not accepted"
    SOURCE = "source is not listed"


class Unproven(Struct, frozen=True):
    """Nobody was proved. `user` is the name as it was given, by whomever; for `locked_s` it is not listened to.

    `detail` is a text of ours.
    """

    reason: Reason
    user: str | None = None
    locked_s: float = 0.0
    detail: str | None = None


class RefusalLog:
    """One event for each refusal, so many in a second; the next line says how many were left out."""

    def __init__(self) -> None:
        self._second = 0
        self._logged = 0
        self._left_out = 0

    def note(self, source: Address, unproven: Unproven) -> None:
        """Log a refusal."""
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._logged = second, 0
        if self._logged >= REFUSALS_LOGGED_PER_S:
            self._left_out += 1
            return
        self._logged += 1
        more = {
            "detail": unproven.detail,
            "locked_out_s": round(unproven.locked_s),
            "left_out": self._left_out,
        }
        self._left_out = 0
        log.warning(
            "authentication refused",
            source=str(source),
            user=as_logged(unproven.user),
            reason=unproven.reason.value,
            **{name: value for name, value in more.items() if value},
        )


def as_logged(name: str | None) -> str | None:
    """A name that anybody may have made up, as one short word of printable ASCII: no line can be forged with it."""
    if name is None:
        return None
    short = name[:LOGGED_NAME_CHARS_MAX] + ("…" if len(name) > LOGGED_NAME_CHARS_MAX else "")
    return short.encode("unicode_escape").decode("ascii")
