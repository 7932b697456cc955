"""What a provider did with a message: four outcomes of a request, three of an advice (providers.md B.3, B.6).

Closed unions: a `match` that ends in `assert_never` makes the type checker find every place a new member needs.
"""

from typing import TypeAlias

from msgspec import Struct

from voucherswitch.message.codes import ErrorType
from voucherswitch.message.parties import Voucher

NO_REFS: dict[str, str] = {}


class Approved(Struct, frozen=True, tag="approved"):
    """The provider did it and every check of its answer passed.

    Attributes:
        approved_cents: value issued, redeemed or refunded.
        balance_cents: value left on the voucher, None when the provider does not tell.
        voucher: always there for a provision; for lookups and statuses when the provider shows it.
        provider_ref: the provider's own reference of this message.
        refs: what the provider needs to hear again in later messages; kept in clear, so never a PIN.
        voucher_state: the provider's word for the voucher's state (lookup and status only).
    """

    approved_cents: int
    balance_cents: int | None = None
    voucher: Voucher | None = None
    provider_ref: str | None = None
    refs: dict[str, str] = NO_REFS
    voucher_state: str | None = None


class Declined(Struct, frozen=True, tag="declined"):
    """Final: nothing is booked and nothing will be."""

    error_type: ErrorType
    provider_code: str | None = None
    provider_message: str | None = None


class NotSent(Struct, frozen=True, tag="not_sent"):
    """Final: provably not processed, so another route is safe. `alert` names a cause that operators must hear of."""

    error_type: ErrorType
    provider_code: str | None = None
    provider_message: str | None = None
    alert: str | None = None


class OutcomeUnknown(Struct, frozen=True, tag="unknown"):
    """It may have been processed. Ended by enquiry, reversal or an operator; never by waiting.

    `refs` is what was sent and must be known to find it again, where settings may have changed by then; never a PIN.
    `cancel_after_s`, in the answer to a question: the provider has it still in work, and wants it cancelled when that
    is so for this long after the request's last call.
    """

    error_type: ErrorType = ErrorType.UPSTREAM_UNAVAILABLE
    provider_code: str | None = None
    provider_message: str | None = None
    alert: str | None = None
    refs: dict[str, str] = NO_REFS
    cancel_after_s: int | None = None


Outcome: TypeAlias = Approved | Declined | NotSent | OutcomeUnknown


class Acknowledged(Struct, frozen=True, tag="acknowledged"):
    """The provider took the advice, or says that it is already so."""


class Refused(Struct, frozen=True, tag="refused"):
    """A final answer that can never become an acknowledgement: the advice is parked for an operator."""

    provider_code: str | None = None
    provider_message: str | None = None
    alert: str | None = None


class Pending(Struct, frozen=True, tag="pending"):
    """No final answer: the advice stays queued and is repeated without end."""

    cause: str
    alert: str | None = None


AdviceResult: TypeAlias = Acknowledged | Refused | Pending
