"""The voucher's own rules: what its state allows (R1-R4, F2-F6), and what a record's move does to it (§4.1). Pure."""

from typing import Final

from voucherswitch.journal.records import BIND, NO_CHANGE, RELEASE, RESTORE, UNBIND, VoucherChange, move_voucher
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.refusals import Refusal
from voucherswitch.message.states import Kind, State, VoucherState

_E = ErrorType
_V = VoucherState

NOT_CONFIRMED: Final = Refusal("R1", 400, _E.VOUCHER_NOT_REDEEMABLE, "Voucher not confirmed.", "Not redeemable.")
REDEEMED_BEFORE: Final = Refusal(
    "R3", 400, _E.VOUCHER_ALREADY_REDEEMED, "Duplicate Redemption Requests", "The voucher is used."
)
UNKNOWN_VOUCHER: Final = Refusal("F6", 400, _E.INVALID_VOUCHER, "Unknown voucher.", "No such voucher to refund.")
MOVEMENT_OPEN: Final = Refusal(
    "X4",
    400,
    _E.VOUCHER_STATUS_UNKNOWN,
    "Voucher status unknown.",
    "Another request on this voucher is not finished.",
)
SEVERAL_RECEIVERS: Final = Refusal(
    "step 6", 400, _E.ROUTING_ERROR, "Receiver needed.", "Several receivers have this code: name one in receiver."
)

REDEEM: Final[dict[VoucherState, Refusal | None]] = {
    _V.CONFIRMED_PROVISIONED: None,
    _V.REDEEMED: REDEEMED_BEFORE,
    _V.CONFIRMED_REDEEMED: REDEEMED_BEFORE,
    _V.REFUNDED: REDEEMED_BEFORE,
}
REFUND: Final[dict[VoucherState, Refusal | None]] = {
    _V.CONFIRMED_PROVISIONED: Refusal(
        "F2", 400, _E.VOUCHER_NOT_REDEEMED, "Voucher not refundable", "The voucher is not redeemed."
    ),
    _V.REDEEMED: Refusal(
        "F3", 400, _E.REDEMPTION_NOT_CONFIRMED, "Voucher Redemption unconfirmed", "Confirm the redemption first."
    ),
    _V.CONFIRMED_REDEEMED: None,
    _V.REFUNDED: Refusal(
        "F4", 400, _E.VOUCHER_ALREADY_REFUNDED, "Voucher refund pending", "A refund awaits its confirmation."
    ),
}


def change_on_approval(kind: Kind, *, single: bool, balance_left: bool) -> VoucherChange:
    """The voucher's state when a request is approved; in single messaging the confirmation follows at once."""
    if kind is Kind.PROVISION:
        return BIND if single else NO_CHANGE
    if not single:
        return move_voucher(_V.REDEEMED if kind is Kind.REDEMPTION else _V.REFUNDED)
    return change_on_confirmation(kind, balance_left=balance_left)


def change_on_confirmation(kind: Kind, *, balance_left: bool) -> VoucherChange:
    """confirmVoucher binds the code; confirmRedeem ends the use, unless a part of the value is left (O21)."""
    if kind is Kind.PROVISION:
        return BIND
    if kind is Kind.REFUND or balance_left:
        return move_voucher(_V.CONFIRMED_PROVISIONED)
    return move_voucher(_V.CONFIRMED_REDEEMED)


def change_on_reversal(kind: Kind, was: State) -> VoucherChange:
    """Undo what the record did to its voucher, and nothing else."""
    if was in (State.PENDING, State.UNKNOWN):
        return NO_CHANGE if kind is Kind.PROVISION else RELEASE
    if kind is Kind.PROVISION:
        return UNBIND if was is State.CONFIRMED else NO_CHANGE
    if kind is Kind.REDEMPTION:
        return move_voucher(_V.CONFIRMED_PROVISIONED)
    return RESTORE
