"""One message of an originator on its way through the switch: who sent it, its trace, and how its answer is rendered.

The interface fills it in and renders; a flow decides what to render and writes it to the journal before it returns it.
So the answer that an originator hears is, word for word, the one that is durable.
"""

from datetime import datetime
from typing import Protocol
from uuid import UUID

from msgspec import Struct

from voucherswitch.catalogue.snapshot import Originator
from voucherswitch.journal.records import Entry
from voucherswitch.message.answers import Answer
from voucherswitch.message.parties import Institution
from voucherswitch.message.refusals import RecordedRefusal
from voucherswitch.message.trace import Direction, Leg, LegOutcome, Trace
from voucherswitch.switch.clock import elapsed_us


class Reply(Struct, frozen=True):
    """A rendered answer: what is sent, and the masked text that is kept of it."""

    status: int
    body: bytes
    masked: str
    retry_after_s: int | None = None


class Renderer(Protocol):
    """Turns decisions into the interface's messages."""

    def answer(self, answer: Answer, /) -> Reply:
        """Render the approval of this very request."""
        ...

    def recorded(self, request: bytes, answer: Answer, /) -> Reply:
        """Render the approval of an earlier request, from the request as the journal kept it."""
        ...

    def refusal(self, refused: RecordedRefusal) -> Reply:
        """Render an ErrorDetail."""
        ...

    def echo(self) -> Reply:
        """Render the acknowledgement of an advice: the advice as received."""
        ...


class Exchange(Struct, kw_only=True):
    """One inbound message. `message_id` is its own id: of the request, or of the advice.

    `received_at` is UTC for the trace; `received_s` is `time.monotonic()` for deadlines and durations.
    """

    operation: str
    originator: Originator
    message_id: UUID
    received_at: datetime
    received_s: float
    masked_request: str
    renderer: Renderer
    trace: Trace
    advice_id: UUID | None = None

    def inbound(self, reply: Reply) -> Leg:
        """The leg of this exchange, ending in `reply`."""
        return Leg(
            direction=Direction.INBOUND,
            peer=self.originator.id,
            operation=self.operation,
            started_at=self.received_at,
            duration_us=elapsed_us(self.received_s),
            outcome=LegOutcome.ANSWERED,
            request=self.masked_request,
            response=reply.masked,
            status=reply.status,
            advice_id=None if self.advice_id is None else str(self.advice_id),
        )

    def legs(self, reply: Reply) -> list[Leg]:
        """All legs so far, the inbound one first, and forget them: each is written once."""
        return [self.inbound(reply), *self.trace.take()]


class Asked(Struct, kw_only=True):
    """An entry whose provider is being asked, with all that its closing needs."""

    entry: Entry
    originator: Originator
    provider_id: str
    receiver: Institution
    settlement: Institution
    amount_cents: int
    currency: str
    voucher_code: str | None = None  # redemptions and refunds: the code they are about
    product_name: str | None = None


class Sent(Asked, kw_only=True):
    """The same while its originator waits for the answer."""

    exchange: Exchange
