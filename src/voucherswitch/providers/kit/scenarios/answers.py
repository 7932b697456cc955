"""Answers that prove nothing, and right ones that come in an odd way (checks 6, 9, 17)."""

from typing import Any, Final

from voucherswitch.message.outcomes import Approved, OutcomeUnknown, Pending
from voucherswitch.providers.contract.alerts import BAD_ANSWER
from voucherswitch.providers.kit.scenario import Scenario, alert_of, any_advice, expect, scenario, sends, support, words
from voucherswitch.providers.kit.scenarios.operations import ADVICES, prepared_advice
from voucherswitch.providers.kit.stand import SETTLE_MS, Stand

SPOILT: Final = {
    "malformed": "that cannot be read",
    "truncate": "that is cut",
    "oversize": "that is larger than the bound",
    "wrong_amount": "about another amount",
    "wrong_reference": "about another request",
    "no_pin": "without the code",
    "bad_pin": "with a code of the wrong shape",
}
LATE_MS: Final = 200  # inside the time a connector waits
ROOMY_MS: Final = 3_000
NEVER_MS: Final = 60_000  # outside it, whatever that is


def _spoilt(kind: str) -> Scenario:
    title = f"A success {SPOILT[kind]} is a doubt with the alert {BAD_ANSWER}; nothing is sent again."

    @scenario(f"spoilt-{kind}", 9, title=title)
    async def check(stand: Stand) -> str:
        order = stand.order()
        await stand.sim.fault(kind, "provision")
        outcome = await stand.provision(order)
        _expect_bad_answer(outcome)
        await stand.expect_sent_once()
        await stand.expect_at_most_one_voucher(order)
        return words(outcome)

    return check


def _spoilt_redeem(kind: str) -> Scenario:
    title = f"A redemption's success {SPOILT[kind]} is a doubt with the alert {BAD_ANSWER}; nothing is sent again."

    @scenario(f"spoilt-redeem-{kind}", 9, needs=sends("redeem"), title=title)
    async def check(stand: Stand) -> str:
        sale, voucher = await stand.usable(stand.order())
        await stand.sim.fault(kind, "redeem")
        outcome = await stand.ask(stand.connector.redeem, stand.redeem_order(voucher, sale))
        _expect_bad_answer(outcome)
        await stand.expect_sent_once("redeem")
        return words(outcome)

    return check


def _expect_bad_answer(outcome: object) -> None:
    unknown = isinstance(outcome, OutcomeUnknown) and alert_of(outcome) == BAD_ANSWER
    expect(unknown, f"OutcomeUnknown + alert {BAD_ANSWER}", outcome)


# Bodies that no provider sends, and that somebody between us and it might.
HOSTILE: Final = (
    *("", " ", "null", "true", "0", '""', "[]", "{}", "[{}]", "{", "<", "<a/>"),
    *("[" * 20_000, '{"a":' * 5_000, "\x00" * 64),
    '{"code": {}, "pin": [], "voucher": 0, "state": {}, "responseCode": 1e999, "resultCode": {}, "success": []}',
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;&b;">]><a>&c;&c;&c;&c;</a>',
    "<a>" * 5_000,
    "9" * 5_000,
    "<html><body>200 OK</body></html>",
)


@scenario("hostile-sale", 9)
async def hostile_sale(stand: Stand) -> str:
    """Whatever comes back as a success, a body that is no answer is a doubt, and nothing is raised."""
    for status in (200, 201, 202):
        for body in HOSTILE:
            await stand.sim.fault("http", "provision", status=status, body=body)
            outcome = await stand.provision()
            expect(isinstance(outcome, OutcomeUnknown), f"OutcomeUnknown for HTTP {status} with {body[:20]!r}", outcome)
    total = (await stand.sim.totals())["vouchers"]
    expect(total == 0, "no voucher in the books", f"{total}")
    return f"{len(HOSTILE)} bodies, each under 200, 201 and 202"


@scenario("hostile-advice", 9, needs=any_advice)
async def hostile_advice(stand: Stand) -> str:
    """An advice that is answered by a body which is no answer stays queued."""
    advices = [advice for advice in ADVICES if support(stand.record, advice).sends]
    for advice in advices:
        deliver = await prepared_advice(stand, advice)
        for status in (200, 202):
            for body in HOSTILE:
                await stand.sim.fault("http", "*", status=status, body=body)
                result = await deliver(sent_ms_ago=SETTLE_MS)
                await stand.sim.clear_faults()
                expect(isinstance(result, Pending), f"{advice} pending for HTTP {status} with {body[:20]!r}", result)
    return f"{', '.join(advices)}: pending"


def _odd(name: str, number: int, title: str, kind: str, **params: Any) -> Scenario:
    @scenario(name, number, title=title)
    async def check(stand: Stand) -> str:
        stand.connector = stand.with_settings(read_timeout_ms=ROOMY_MS)
        order = stand.order()
        await stand.sim.fault(kind, "provision", **params)
        outcome = await stand.provision(order)
        expect(isinstance(outcome, Approved), "Approved", outcome)
        await stand.expect_at_most_one_voucher(order)
        return words(outcome)

    return check


@scenario("late-outside", 6)
async def late_outside(stand: Stand) -> str:
    """An answer after the read timeout is a doubt."""
    stand.become_impatient()
    order = stand.order()
    await stand.sim.fault("late", "provision", ms=NEVER_MS)
    outcome = await stand.unknown(order)
    await stand.expect_sent_once()
    state = await stand.expect_at_most_one_voucher(order)
    expect(state is not None, "the voucher in the books: it was issued", "none")
    return words(outcome)


SCENARIOS: Final[tuple[Scenario, ...]] = (
    *(_spoilt(kind) for kind in SPOILT),
    hostile_sale,
    hostile_advice,
    *(_spoilt_redeem(kind) for kind in ("malformed", "truncate", "oversize", "wrong_amount", "wrong_reference")),
    _odd("late-inside", 6, "An answer inside the read timeout is taken.", "late", ms=LATE_MS),
    late_outside,
    _odd("one-byte-pieces", 17, "An answer in pieces of one byte is read whole.", "split", sizes=[1], gapMs=0),
    _odd("slow-bytes", 17, "An answer that trickles in is read whole.", "slow_bytes", ms=LATE_MS),
)
