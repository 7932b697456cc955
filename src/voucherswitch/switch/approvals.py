"""The change that an approval makes to its record, in dual and in single messaging (A10, §5.4)."""

from uuid import uuid4

from voucherswitch.journal.records import Closing, OwedBySwitch
from voucherswitch.message.answers import Answer, pack
from voucherswitch.message.codes import ReversalReason
from voucherswitch.message.outcomes import Approved
from voucherswitch.message.states import AdviceKind, AdviceState, Kind, State
from voucherswitch.providers.contract.capabilities import Capabilities, Support
from voucherswitch.switch.deps import Deps
from voucherswitch.switch.exchange import Asked
from voucherswitch.switch.vouchers import change_on_approval, change_on_reversal


def approval(
    deps: Deps, sent: Asked, outcome: Approved, answer: Answer, *, from_states: int, late: bool = False
) -> Closing:
    """The change that an approval makes. Single messaging confirms at once, and reverses what came too late (§5.4)."""
    single = sent.originator.single
    kind = sent.entry.kind
    code = outcome.voucher.code if kind is Kind.PROVISION and outcome.voucher is not None else sent.voucher_code
    serial = outcome.voucher.serial_number if outcome.voucher is not None else None
    closing = Closing(
        entry=sent.entry,
        from_states=from_states,
        to=State.APPROVED,
        approved_cents=outcome.approved_cents,
        balance_cents=outcome.balance_cents,
        voucher_code=code,
        voucher_serial=serial,
        provider_ref=outcome.provider_ref,
        refs=outcome.refs,
        answer=pack(answer),
    )
    if not single:
        closing.voucher = change_on_approval(kind, single=False, balance_left=False)
        return closing
    if late:
        return undone(deps, closing, sent.provider_id)
    can = deps.providers.capabilities.get(sent.provider_id)
    closing.to = State.CONFIRMED
    # A balance that the provider did not tell is not nothing: it will say no when there is nothing.
    partial = can is not None and can.partial_redeem and outcome.balance_cents != 0
    closing.voucher = change_on_approval(kind, single=True, balance_left=partial)
    delay_ms = sent.originator.confirm_delay_s * 1000
    closing.owed = owed(AdviceKind.CONFIRMATION, kind, sent.provider_id, can, delay_ms=delay_ms)
    return closing


def undone(deps: Deps, closing: Closing, provider_id: str) -> Closing:
    """Turn a change into the reversal that the switch makes by itself: nobody waits for the request any more."""
    kind = closing.entry.kind
    can = deps.providers.capabilities.get(provider_id)
    closing.to = State.REVERSED
    closing.voucher = change_on_reversal(kind, State.UNKNOWN)
    closing.owed = owed(AdviceKind.REVERSAL, kind, provider_id, can, reason=ReversalReason.TIMEOUT)
    return closing


def owed(
    advice: AdviceKind,
    kind: Kind,
    provider_id: str,
    can: Capabilities | None,
    *,
    reason: str | None = None,
    delay_ms: int = 0,
) -> OwedBySwitch:
    """An advice that the switch sends for a single-message originator. A held one is queued even where the provider
    takes none, so that a reversal can still replace it; the sender consumes it when its time comes."""
    held = delay_ms > 0
    state = (
        AdviceState.QUEUED if held or advice_support(can, kind, advice) is not Support.CONSUME else AdviceState.CONSUMED
    )
    return OwedBySwitch(
        advice_id=uuid4(), kind=advice, state=state, provider_id=provider_id, reason=reason, delay_ms=delay_ms
    )


def advice_support(can: Capabilities | None, kind: Kind, advice: AdviceKind) -> Support:
    """How a provider takes this advice. One that is not set up right now may take it later: it is queued."""
    if can is None:
        return Support.NATIVE
    support = can.advice(kind, advice)
    # A8: an advice that the provider does not have is acknowledged and kept, never refused.
    return Support.CONSUME if support in (Support.NONE, Support.LOCAL) else support
