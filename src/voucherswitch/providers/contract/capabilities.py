"""What a provider supports, as data (providers.md A.3, B.5).

Rules, console and docs read it; connectors never decide by it.
"""

from enum import StrEnum

from msgspec import Struct

from voucherswitch.message.states import AdviceKind, Kind


class Support(StrEnum):
    """How an operation is served for a provider."""

    NATIVE = "native"  # the provider has the message
    EMULATED = "emulated"  # the connector answers it with other messages
    CONSUME = "consume"  # advices: acknowledged and kept, nothing is sent
    LOCAL = "local"  # answered from our own catalogue
    NONE = "none"  # declined FUNCTION_NOT_SUPPORTED, nothing is sent

    @property
    def sends(self) -> bool:
        """Whether serving the operation sends messages to the provider."""
        return self in (Support.NATIVE, Support.EMULATED)


class Capabilities(Struct, frozen=True, kw_only=True):
    """The capability record of one provider."""

    provision: Support
    retry: Support
    status: Support
    confirm: Support
    reverse: Support
    lookup: Support
    redeem: Support
    confirm_redeem: Support
    reverse_redeem: Support
    refund: Support
    products: Support
    confirm_refund: Support = Support.NONE
    reverse_refund: Support = Support.NONE
    redeem_status: Support = Support.NONE
    refund_status: Support = Support.NONE
    tender_first: bool = False
    tender_exact: bool = False
    client_chosen_code: bool = False
    partial_redeem: bool = False
    foreign_vouchers: bool = False  # vouchers that were sold elsewhere may be redeemed here: a matter of contract (O9)
    partial_advices: bool = False

    def advice(self, kind: Kind, advice: AdviceKind) -> Support:
        """How the provider takes a confirmation or reversal of a provision, redemption or refund."""
        return {
            (Kind.PROVISION, AdviceKind.CONFIRMATION): self.confirm,
            (Kind.PROVISION, AdviceKind.REVERSAL): self.reverse,
            (Kind.REDEMPTION, AdviceKind.CONFIRMATION): self.confirm_redeem,
            (Kind.REDEMPTION, AdviceKind.REVERSAL): self.reverse_redeem,
            (Kind.REFUND, AdviceKind.CONFIRMATION): self.confirm_refund,
            (Kind.REFUND, AdviceKind.REVERSAL): self.reverse_refund,
        }[kind, advice]
