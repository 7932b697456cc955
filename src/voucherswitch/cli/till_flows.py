"""What a till does with an answer, and with silence (interface.md §5.1, §6): repeat, ask, reverse, never guess.

* 201: done; the confirmation is repeated until the switch has it.
* 503, or no connection: certainly not processed, so another try takes a new id.
* 500, 504 or silence: unknown. A provision is retried with its own id, a redemption is looked up; what stays unknown is
  reversed, and the reversal is repeated until it is taken.
* Anything else: the switch said no, for good.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeAlias

from voucherswitch.cli import till_messages as messages
from voucherswitch.cli.till_client import Answer, NoAnswer, NotReached, Result

TRIES_MAX: Final = 3  # of a request that was not processed, with a new id each
QUESTIONS_MAX: Final = 2  # retries or lookups before an unknown request is reversed
ADVICES_MAX: Final = 6  # repeats of a confirmation or reversal before the till gives up for now
PAUSE_S_MAX: Final = 8.0

_FUNCTION_NOT_SUPPORTED: Final = "FUNCTION_NOT_SUPPORTED"


@dataclass(frozen=True)
class Operation:
    """The paths of one kind of request."""

    name: str
    path: str
    retries: bool = False
    lookups: bool = False

    @property
    def confirmations(self) -> str:
        return f"{self.path}/confirmations"

    @property
    def reversals(self) -> str:
        return f"{self.path}/reversals"


PROVISION: Final = Operation("provision", "/vouchers", retries=True)
REDEMPTION: Final = Operation("redemption", "/redemptions", lookups=True)
REFUND: Final = Operation("refund", "/refunds")
OPERATIONS: Final = {operation.name: operation for operation in (PROVISION, REDEMPTION, REFUND)}


@dataclass(frozen=True)
class Approved:
    """Done. `message` is the request that was approved, with the id that counts."""

    message: messages.Message
    answer: Answer


@dataclass(frozen=True)
class Declined:
    """The switch said no, for good."""

    answer: Answer


@dataclass(frozen=True)
class NotProcessed:
    """Nothing happened anywhere."""

    cause: str


@dataclass(frozen=True)
class Undone:
    """The outcome stayed unknown and is reversed: whatever happened, it does not stand."""

    request_id: str
    cause: str


@dataclass(frozen=True)
class Unresolved:
    """The outcome stayed unknown and the reversal was not taken: it must be sent again."""

    request_id: str
    cause: str


Outcome: TypeAlias = Approved | Declined | NotProcessed | Undone | Unresolved


class Line(Protocol):
    """The line to the switch."""

    def post(self, path: str, message: dict[str, Any]) -> Result: ...
    def get(self, path: str, query: dict[str, str] | None = None) -> Result: ...


@dataclass
class Till:
    """A till: the line to the switch, where it says what it is doing, and how it waits."""

    line: Line
    say: Callable[[str], None]
    wait: Callable[[float], None] = field(default=time.sleep)

    def request(self, operation: Operation, message: messages.Message) -> Outcome:
        """Send a creating request and find out what became of it."""
        cause = ""
        for tries in range(TRIES_MAX):
            if tries:
                message = messages.renewed(message)
            result = self.line.post(operation.path, message)
            match result:
                case Answer(status=201):
                    return Approved(message, result)
                case Answer(status=500 | 504) | NoAnswer():
                    return self._find_out(operation, message, _cause(result))
                case NotReached() | Answer(status=503):
                    cause = _cause(result)
                    if tries + 1 < TRIES_MAX:
                        self.say(f"not processed ({cause}); trying again with a new id")
                        self.wait(_pause_s(result, tries))
                case Answer():
                    return Declined(result)
        return NotProcessed(cause)

    def _find_out(self, operation: Operation, message: messages.Message, cause: str) -> Outcome:
        """Ask what became of a request whose outcome is unknown; reverse it where nobody can tell."""
        request_id = message["id"]
        for question in range(QUESTIONS_MAX if operation.retries or operation.lookups else 0):
            self.say(f"outcome unknown ({cause}); {'retrying it' if operation.retries else 'asking what became of it'}")
            if question:
                self.wait(_pause_s(None, question))
            if operation.retries:
                result = self.line.post(f"{operation.path}/{request_id}/retry", message)
            else:
                result = self.line.get(f"{operation.path}/{request_id}")
            decided = self._decided(operation, message, result)
            if decided is not None:
                return decided
            cause = _cause(result)
            if isinstance(result, Answer) and result.status < 500:
                break  # it cannot be asked again: only a reversal settles it
        self.say(f"outcome unknown ({cause}); reversing it")
        return self.reverse(operation, request_id, "TIMEOUT", cause)

    def _decided(self, operation: Operation, message: messages.Message, result: Result) -> Outcome | None:
        """What the answer to a retry or lookup decides."""
        match result:
            case Answer(status=200 | 201):
                return Approved(message, result)
            case Answer(status=404) if operation.lookups:
                return None  # not received yet: after a broken line it may still come, so only a reversal settles it
            case Answer(status=status) if 400 <= status < 500:
                if result.message.get("errorType") == _FUNCTION_NOT_SUPPORTED:
                    return None
                return Declined(result)
            case _:
                return None

    def reverse(self, operation: Operation, request_id: str, reason: str, cause: str) -> Outcome:
        """Undo a request. 404 is success: there was nothing to undo."""
        result = self._advise(operation.reversals, messages.reversal(request_id, reason))
        if isinstance(result, Answer) and result.status in (202, 404):
            return Undone(request_id, cause)
        return Unresolved(request_id, _cause(result))

    def confirm(self, operation: Operation, request_id: str, *, cash_cents: int | None = None) -> Result:
        """Say that a request stands."""
        return self._advise(operation.confirmations, messages.confirmation(request_id, cash_cents=cash_cents))

    def _advise(self, path: str, advice: messages.Message) -> Result:
        """Repeat the same advice until the answer is no 5xx; repeating does no harm."""
        result = self.line.post(path, advice)
        for repeat in range(1, ADVICES_MAX):
            if isinstance(result, Answer) and result.status < 500:
                break
            self.say(f"advice not taken ({_cause(result)}); repeating it")
            self.wait(_pause_s(result, repeat))
            result = self.line.post(path, advice)
        return result


def _cause(result: Result) -> str:
    return f"{result.status} {result.error}" if isinstance(result, Answer) else result.cause


def _pause_s(result: Result | None, tries: int) -> float:
    """As long as the switch asks for, else doubling."""
    asked = result.retry_after_s if isinstance(result, Answer) else None
    return min(asked if asked is not None else 0.5 * 2.0**tries, PAUSE_S_MAX)
