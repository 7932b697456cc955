"""A question to a provider about an earlier message: a retry's or the resolver's."""

from voucherswitch.message.codes import ErrorType
from voucherswitch.message.outcomes import Approved, Declined, NotSent, Outcome, OutcomeUnknown
from voucherswitch.providers.contract.connector import Call, Connector
from voucherswitch.switch.sending import Ask


class Question:
    """A question, and whether the answer is its word on that message.

    A connector says "not sent" of it only when the provider answered that it never processed the message. From anybody
    else, a full bulkhead or missing settings, it says nothing (providers.md B.7); nor does a connector that cannot ask.
    """

    def __init__(self, send: Ask) -> None:
        self._send = send
        self._answered = False

    async def send(self, connector: Connector, call: Call) -> Outcome:
        """Ask it, once."""
        outcome = await self._send(connector, call)
        self._answered = True
        return outcome

    def decided(self, outcome: Outcome) -> Approved | Declined | NotSent | None:
        """What the provider said of the message; None: nothing."""
        match outcome:
            case Declined(error_type=ErrorType.FUNCTION_NOT_SUPPORTED):
                return None
            case NotSent() if not self._answered:
                return None
            case OutcomeUnknown():
                return None
            case _:
                return outcome


def alert_of(outcome: Outcome) -> str | None:
    """Why operators must hear of it."""
    return outcome.alert if isinstance(outcome, NotSent | OutcomeUnknown) else None
