"""The judge of `voucherswitch torture` finds what must never happen, and lets pass only what the switch lists."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import uuid4

import msgspec
import pytest

from voucherswitch.cli.torture.books import Books, Entry, Happened, Issued, Owed
from voucherswitch.cli.torture.judge import judge
from voucherswitch.cli.torture.till_book import Told
from voucherswitch.journal.invariants import Breach, Finding
from voucherswitch.message.states import AdviceKind, AdviceState, Kind, State

CENTS: Final = 10_000
SOLD: Final = str(uuid4())
SPENT: Final = str(uuid4())
ADVICE: Final = str(uuid4())
CODE: Final = "9000000000001236"


def _fingerprint(code: str) -> bytes:
    return code.encode()[::-1]


def _told(**changes: Any) -> Told:
    """A voucher that was sold and confirmed."""
    told = Told(
        request_id=SOLD, kind=Kind.PROVISION, originator_id="30000001", single=False, provider_id="sandbox",
        product_id="SBXANY", cents=CENTS, code=CODE, approved=True, confirmed=ADVICE, over=True,
    )  # fmt: skip
    return msgspec.structs.replace(told, **changes)


def _entry(**changes: Any) -> Entry:
    entry = Entry(
        request_id=SOLD, kind=Kind.PROVISION, state=State.CONFIRMED, has_request=True, originator_id="30000001",
        single=False, provider_id="sandbox", approved_cents=CENTS, fingerprint=_fingerprint(CODE), redemption_id=None,
    )  # fmt: skip
    return msgspec.structs.replace(entry, **changes)


def _advice(kind: AdviceKind = AdviceKind.CONFIRMATION, state: AdviceState = AdviceState.DELIVERED) -> Owed:
    return Owed(advice_id=ADVICE, request_id=SOLD, kind=kind, state=state, by_switch=False)


def _issued(**changes: Any) -> Issued:
    voucher = Issued(code=CODE, value_cents=CENTS, balance_cents=CENTS, state="CONFIRMED")
    return msgspec.structs.replace(voucher, **changes)


def _rules(
    tills: Sequence[Told] = (),
    entries: Sequence[Entry] = (),
    advices: Sequence[Owed] = (),
    issued: dict[str, Issued] | None = None,
    listed: dict[str, str] | None = None,
    strangers: int = 0,
    broken: list[Finding] | None = None,
) -> set[str]:
    """The rules that are broken."""
    vouchers = {"sandbox": _issued()} if issued is None else issued
    totals = {name: voucher.vouchers + strangers for name, voucher in vouchers.items()}
    books = Books(
        journal={entry.request_id: entry for entry in entries or [_entry()]},
        advices={SOLD: list(advices)},
        issued={SOLD: vouchers},
        totals=totals,
        listed=listed or {},
        broken=broken or [],
        fingerprint=_fingerprint,
    )
    return {difference.rule for difference in judge(tills or [_told()], books)}


def test_books_that_agree_have_no_difference() -> None:
    assert _rules(advices=[_advice()]) == set()


def test_a_voucher_that_its_provider_does_not_have_is_lost() -> None:
    assert _rules(advices=[_advice()], issued={}) == {"no voucher is lost"}


@pytest.mark.parametrize("state", ["REVERSED", "RELEASED", "VOIDED"])
def test_a_sold_voucher_that_is_dead_at_its_provider_is_lost(state: str) -> None:
    found = _rules(advices=[_advice(state=AdviceState.CONSUMED)], issued={"sandbox": _issued(state=state)})
    assert "no voucher is lost" in found


def test_two_vouchers_for_one_request_are_found_at_one_provider_and_at_two() -> None:
    assert "no voucher is doubled" in _rules(advices=[_advice()], issued={"sandbox": _issued(vouchers=2)})
    assert "no voucher is doubled" in _rules(
        advices=[_advice()], issued={"sandbox": _issued(), "ott": _issued(code="other")}
    )


def test_confirmed_and_reversed_is_found_whoever_was_told_so() -> None:
    both = [_advice(), _advice(AdviceKind.REVERSAL)]
    assert "nothing is both confirmed and reversed" in _rules([_told(reversed=str(uuid4()))], advices=[_advice()])
    assert "nothing is both confirmed and reversed" in _rules(advices=both)


def test_an_acknowledged_advice_that_is_not_on_file_is_found() -> None:
    assert "an acknowledged advice is kept" in _rules(advices=[])


def test_an_advice_that_is_still_queued_is_found() -> None:
    assert "every advice is delivered" in _rules(advices=[_advice(state=AdviceState.QUEUED)])


def test_a_delivered_advice_without_effect_is_found() -> None:
    found = _rules(advices=[_advice()], issued={"sandbox": _issued(state="PROVISIONED")})
    assert found == {"a delivered advice has its effect"}


def test_what_was_undone_for_the_till_and_lives_at_the_provider_is_found_unless_it_is_listed() -> None:
    told = _told(confirmed=None, reversed=ADVICE)
    entry = _entry(state=State.REVERSED)
    reversal = _advice(AdviceKind.REVERSAL, AdviceState.CONSUMED)
    assert _rules([told], [entry], [reversal]) == {"nothing stands that was undone"}
    assert _rules([told], [entry], [reversal], listed={SOLD: "AT RISK"}) == set()


def test_what_was_called_certainly_not_processed_and_stands_is_found() -> None:
    told = _told(approved=False, confirmed=None, code=None, not_processed=True)
    assert _rules([told], [_entry(state=State.APPROVED)]) == {"nothing stands that was undone"}


def test_an_open_outcome_is_listed_and_therefore_no_difference() -> None:
    told = _told(approved=False, confirmed=None, code=None, reversed=None)
    entry = _entry(state=State.UNKNOWN)
    assert _rules([told], [entry]) == {"nothing stands that was undone"}
    assert _rules([told], [entry], listed={SOLD: "UNKNOWN"}) == set()


def test_a_balance_that_the_journal_cannot_explain_is_found() -> None:
    spent = _told(request_id=SPENT, kind=Kind.REDEMPTION, sold_id=SOLD, confirmed=None, cents=2_500)
    redeemed = _entry(request_id=SPENT, kind=Kind.REDEMPTION, state=State.APPROVED, approved_cents=2_500)
    right, wrong = {"sandbox": _issued(balance_cents=7_500)}, {"sandbox": _issued()}
    assert _rules([_told(), spent], [_entry(), redeemed], [_advice()], right) == set()
    assert _rules([_told(), spent], [_entry(), redeemed], [_advice()], wrong) == {"the balances agree"}


def test_another_code_than_the_one_on_record_is_found() -> None:
    assert "the customer holds the voucher on record" in _rules([_told(code="other")], advices=[_advice()])


def test_a_voucher_that_nobody_asked_for_is_found() -> None:
    assert _rules(advices=[_advice()], strangers=1) == {"nobody sells by himself"}


def test_a_reversal_that_took_effect_twice_is_found() -> None:
    twice = _issued(state="REVERSED", events=[Happened(event="REVERSED"), Happened(event="REVERSED")])
    told = _told(confirmed=None, reversed=ADVICE)
    found = _rules([told], [_entry(state=State.REVERSED)], [_advice(AdviceKind.REVERSAL)], {"sandbox": twice})
    assert found == {"an advice has its effect once"}


def test_an_invariant_of_the_journal_that_does_not_hold_is_a_difference() -> None:
    row = Breach(key=SOLD, request_id=None, found="twice")
    broken = Finding(name="one_approval", purpose="", row_means="", remedy="", rows=(row,), more=False)
    assert _rules(advices=[_advice()], broken=[broken]) == {"invariant one_approval"}
