"""The kit itself: connectors that break one rule each are caught, by the scenario that is about it.

Each wraps the sandbox's own connector, which breaks none.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import pytest
from dirty_equals import IsInt

from providers.kit_support import plain
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.orders import AdviceOrder, LookupOrder, ProvisionOrder, RedeemOrder, RefundOrder, StatusOrder
from voucherswitch.message.outcomes import (
    Acknowledged,
    AdviceResult,
    Approved,
    Declined,
    NotSent,
    Outcome,
    OutcomeUnknown,
    Pending,
)
from voucherswitch.message.trace import Leg
from voucherswitch.providers.contract.capabilities import Capabilities, Support
from voucherswitch.providers.contract.connector import Call, Connector
from voucherswitch.providers.contract.kit import CodeCase, KitProfile
from voucherswitch.providers.contract.statements import Statement
from voucherswitch.providers.kit.report import Report, Verdict
from voucherswitch.providers.kit.runner import Target, chosen, run
from voucherswitch.providers.kit.stand import new_id
from voucherswitch.providers.kit.subject import Subject, subject, subjects

SANDBOX = plain(subject("sandbox"))
EVERY = tuple(plain(one) for one in subjects())


class Wrapped:
    """The sandbox's connector, for subclasses to spoil."""

    def __init__(self, whole: Connector) -> None:
        self.whole = whole
        self.capabilities: Capabilities = whole.capabilities

    async def provision(self, order: ProvisionOrder, call: Call) -> Outcome:
        return await self.whole.provision(order, call)

    async def retry(self, order: ProvisionOrder, call: Call) -> Outcome:
        return await self.whole.retry(order, call)

    async def status(self, order: StatusOrder, call: Call) -> Outcome:
        return await self.whole.status(order, call)

    async def lookup(self, order: LookupOrder, call: Call) -> Outcome:
        return await self.whole.lookup(order, call)

    async def redeem(self, order: RedeemOrder, call: Call) -> Outcome:
        return await self.whole.redeem(order, call)

    async def redeem_status(self, order: StatusOrder, call: Call) -> Outcome:
        return await self.whole.redeem_status(order, call)

    async def refund(self, order: RefundOrder, call: Call) -> Outcome:
        return await self.whole.refund(order, call)

    async def refund_status(self, order: StatusOrder, call: Call) -> Outcome:
        return await self.whole.refund_status(order, call)

    async def confirm(self, order: AdviceOrder, call: Call) -> AdviceResult:
        return await self.whole.confirm(order, call)

    async def reverse(self, order: AdviceOrder, call: Call) -> AdviceResult:
        return await self.whole.reverse(order, call)

    async def confirm_redeem(self, order: AdviceOrder, call: Call) -> AdviceResult:
        return await self.whole.confirm_redeem(order, call)

    async def reverse_redeem(self, order: AdviceOrder, call: Call) -> AdviceResult:
        return await self.whole.reverse_redeem(order, call)

    async def confirm_refund(self, order: AdviceOrder, call: Call) -> AdviceResult:
        return await self.whole.confirm_refund(order, call)

    async def reverse_refund(self, order: AdviceOrder, call: Call) -> AdviceResult:
        return await self.whole.reverse_refund(order, call)

    async def products(self, call: Call) -> Sequence[Any] | OutcomeUnknown:
        return await self.whole.products(call)

    async def close(self) -> None:
        await self.whole.close()


class SendsTwice(Wrapped):
    """Sends a sale again when no answer comes."""

    async def provision(self, order: ProvisionOrder, call: Call) -> Outcome:
        outcome = await self.whole.provision(order, call)
        return await self.whole.provision(order, call) if isinstance(outcome, OutcomeUnknown) else outcome


class SellsTwice(Wrapped):
    """Retries with an id of its own, so that the provider cannot tell."""

    async def retry(self, order: ProvisionOrder, call: Call) -> Outcome:
        return await self.whole.provision(msgspec.structs.replace(order, request_id=new_id(), sent_ms_ago=0), call)


class CallsDoubtADecline(Wrapped):
    """Takes an answer that nobody can read for a refusal."""

    async def provision(self, order: ProvisionOrder, call: Call) -> Outcome:
        outcome = await self.whole.provision(order, call)
        return Declined(ErrorType.TRANSACTION_DECLINED) if isinstance(outcome, OutcomeUnknown) else outcome


class CallsSilenceNotSent(Wrapped):
    """Takes a missing answer for a message that did not leave."""

    async def provision(self, order: ProvisionOrder, call: Call) -> Outcome:
        outcome = await self.whole.provision(order, call)
        return NotSent(ErrorType.UPSTREAM_UNAVAILABLE) if isinstance(outcome, OutcomeUnknown) else outcome


class TakesEvery503ForProof(Wrapped):
    """Does not look into the body of a 503."""

    async def provision(self, order: ProvisionOrder, call: Call) -> Outcome:
        outcome = await self.whole.provision(order, call)
        return NotSent(ErrorType.UPSTREAM_UNAVAILABLE) if call.trace.legs[-1].status == 503 else outcome


class DoubtsThe503ThatProves(Wrapped):
    """Leaves in doubt what the provider says it did not process."""

    async def provision(self, order: ProvisionOrder, call: Call) -> Outcome:
        outcome = await self.whole.provision(order, call)
        return OutcomeUnknown() if call.trace.legs[-1].status == 503 else outcome


class SwallowsAlerts(Wrapped):
    """Nobody hears of a provider that talks nonsense."""

    async def provision(self, order: ProvisionOrder, call: Call) -> Outcome:
        outcome = await self.whole.provision(order, call)
        return msgspec.structs.replace(outcome, alert=None) if isinstance(outcome, OutcomeUnknown) else outcome


class BelievesNotFound(Wrapped):
    """Takes "not found" for proof while the request may still be on its way."""

    async def status(self, order: StatusOrder, call: Call) -> Outcome:
        return await self.whole.status(msgspec.structs.replace(order, sent_ms_ago=10**9), call)


class NeverBelievesNotFound(Wrapped):
    """Leaves a request in doubt for ever."""

    async def status(self, order: StatusOrder, call: Call) -> Outcome:
        return await self.whole.status(msgspec.structs.replace(order, sent_ms_ago=0), call)


class CallsAFailedQuestionProof(Wrapped):
    """Because the question did not leave, the sale did not either: wrong."""

    async def status(self, order: StatusOrder, call: Call) -> Outcome:
        outcome = await self.whole.status(order, call)
        return NotSent(ErrorType.UPSTREAM_UNAVAILABLE) if isinstance(outcome, OutcomeUnknown) else outcome


class ForgetsAdvices(Wrapped):
    """Calls an advice delivered whatever came back."""

    async def reverse(self, order: AdviceOrder, call: Call) -> AdviceResult:
        result = await self.whole.reverse(order, call)
        return Acknowledged() if isinstance(result, Pending) else result


class DropsAdvices(Wrapped):
    """Acknowledges without sending."""

    async def reverse(self, order: AdviceOrder, call: Call) -> AdviceResult:
        return Acknowledged()


class WaitsForEver(Wrapped):
    """Repeats an advice that was refused for good."""

    async def reverse(self, order: AdviceOrder, call: Call) -> AdviceResult:
        result = await self.whole.reverse(order, call)
        return result if isinstance(result, Acknowledged) else Pending("again")


class TellsThePin(Wrapped):
    """Puts the voucher's code where everybody reads it."""

    async def provision(self, order: ProvisionOrder, call: Call) -> Outcome:
        outcome = await self.whole.provision(order, call)
        if isinstance(outcome, Approved) and outcome.voucher is not None:
            return msgspec.structs.replace(outcome, refs={"code": outcome.voucher.code})
        return outcome


class RecordsThePin(Wrapped):
    """Writes the voucher's code into the record of the exchange."""

    async def provision(self, order: ProvisionOrder, call: Call) -> Outcome:
        outcome = await self.whole.provision(order, call)
        if isinstance(outcome, Approved) and outcome.voucher is not None:
            leg: Leg = call.trace.legs[-1]
            leg.response = f"{leg.response} {outcome.voucher.code}"
        return outcome


class BelievesAnyAmount(Wrapped):
    """Does not compare the value with what was asked for."""

    async def provision(self, order: ProvisionOrder, call: Call) -> Outcome:
        outcome = await self.whole.provision(order, call)
        wrong = isinstance(outcome, OutcomeUnknown) and "value" in (outcome.provider_message or "")
        return Approved(order.amount_cents + 1) if wrong else outcome


class Raises(Wrapped):
    """Lets an error of its own out."""

    async def provision(self, order: ProvisionOrder, call: Call) -> Outcome:
        outcome = await self.whole.provision(order, call)
        if isinstance(outcome, OutcomeUnknown):
            raise ConnectionError("no answer")
        return outcome


class SellsWithoutAnOutlet(Wrapped):
    """Sends an outlet of its own where the settings have none."""

    def __init__(self, whole: Connector) -> None:
        super().__init__(whole)
        self.whole._settings = msgspec.structs.replace(whole._settings, default_outlet="S001")  # type: ignore[attr-defined]


class SellsInAnyCurrency(Wrapped):
    """Takes every currency for rand."""

    async def provision(self, order: ProvisionOrder, call: Call) -> Outcome:
        return await self.whole.provision(msgspec.structs.replace(order, currency="710"), call)


class RedeemsTwice(Wrapped):
    """Sends a redemption again when no answer comes."""

    async def redeem(self, order: RedeemOrder, call: Call) -> Outcome:
        outcome = await self.whole.redeem(order, call)
        return await self.whole.redeem(order, call) if isinstance(outcome, OutcomeUnknown) else outcome


BROKEN: dict[type[Wrapped], str] = {
    SendsTwice: "cut-drop_before cut-drop_after spoilt-malformed http-500",
    SellsTwice: "retry cut-drop_after cut-late_processing",
    CallsDoubtADecline: "cut-drop_after spoilt-no_pin unlisted-code http-418 late-outside",
    CallsSilenceNotSent: "cut-hang_after cut-rst_before spoilt-truncate",
    TakesEvery503ForProof: "http-503",
    DoubtsThe503ThatProves: "http-503-listed",
    SwallowsAlerts: "spoilt-malformed spoilt-oversize spoilt-wrong_reference",
    BelievesNotFound: "not-found-settles cut-drop_before",
    NeverBelievesNotFound: "not-found-settles",
    CallsAFailedQuestionProof: "stopped http-500",
    ForgetsAdvices: "advice-reverse-failing credentials stopped hostile-advice",
    DropsAdvices: "reverse-during reverse-after",
    WaitsForEver: "reverse-used codes-reverse",
    TellsThePin: "sale secrets",
    RecordsThePin: "sale secrets",
    BelievesAnyAmount: "spoilt-wrong_amount",
    Raises: "spoilt-malformed cut-drop_after hostile-sale",
    SellsWithoutAnOutlet: "no-outlet",
    SellsInAnyCurrency: "other-currency",
    RedeemsTwice: "cut-redeem-drop_before spoilt-redeem-malformed",
}


def of(kind: type[Wrapped], whole: Subject = SANDBOX) -> Subject:
    """A provider with a spoilt connector."""

    def connect(provider_id: str, settings: Mapping[str, object]) -> Connector:
        return kind(whole.connect(provider_id, settings))

    return msgspec.structs.replace(whole, connect=connect)


def verdicts(report: Report) -> dict[str, Verdict]:
    return {result.scenario: result.verdict for result in report.results}


@pytest.mark.parametrize("kind", BROKEN, ids=lambda kind: kind.__name__)
async def test_a_broken_connector_is_caught(kind: type[Wrapped]) -> None:
    names = BROKEN[kind].split()
    report = await run(of(kind), [one for one in chosen() if one.name in names])
    assert verdicts(report) == dict.fromkeys(names, Verdict.FAILED), [result.seen for result in report.results]
    assert not report.passed


async def test_a_whole_connector_is_not() -> None:
    """Otherwise the catches above would prove nothing."""
    names = {name for names in BROKEN.values() for name in names.split()}
    report = await run(of(Wrapped), [one for one in chosen() if one.name in names])
    assert set(verdicts(report).values()) == {Verdict.PASSED}, [
        result.seen for result in report.results if result.verdict is not Verdict.PASSED
    ]


class SellsAgain(Wrapped):
    """Asks for the voucher again by buying another."""

    async def retry(self, order: ProvisionOrder, call: Call) -> Outcome:
        return await self.whole.provision(order, call)

    async def status(self, order: StatusOrder, call: Call) -> Outcome:
        assert order.product is not None
        assert order.store is not None
        sale = ProvisionOrder(order.request_id, order.amount_cents, "710", order.product, order.store)
        return await self.whole.provision(sale, call)


# What is wrong with every provider, and the scenario of each that must say so, where its record selects it.
BROKEN_ANYWHERE: dict[type[Wrapped], str] = {
    SendsTwice: "cut-drop_before",
    CallsDoubtADecline: "cut-drop_after",
    CallsSilenceNotSent: "late-outside",
    SwallowsAlerts: "spoilt-malformed",
    Raises: "cut-rst_after",
    TellsThePin: "sale",
    RecordsThePin: "sale",
    SellsInAnyCurrency: "other-currency",
    BelievesNotFound: "not-found-settles",
    CallsAFailedQuestionProof: "stopped",
    DropsAdvices: "reverse-after",
    ForgetsAdvices: "advice-reverse-failing",
    WaitsForEver: "reverse-used",
    RedeemsTwice: "spoilt-redeem-malformed",
}


@pytest.mark.parametrize("kind", BROKEN_ANYWHERE, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("whole", EVERY, ids=lambda whole: whole.name)
async def test_no_provider_is_too_different_for_a_catch(whole: Subject, kind: type[Wrapped]) -> None:
    scenario = BROKEN_ANYWHERE[kind]
    if kind is CallsAFailedQuestionProof and not whole.record.status.sends:
        return  # it has no question that could fail
    report = await run(of(kind, whole), [one for one in chosen() if one.name == scenario])
    assert report.results[0].verdict is not Verdict.PASSED, report.results[0].seen


@pytest.mark.parametrize("whole", EVERY, ids=lambda whole: whole.name)
async def test_buying_again_instead_of_asking_is_caught_where_it_brings_another(whole: Subject) -> None:
    """Where the provider replays a reference, a second sale under it is a retry, and no fault."""
    if whole.record.retry is not Support.EMULATED:
        return
    report = await run(of(SellsAgain, whole), [one for one in chosen() if one.name == "cut-drop_after"])
    assert verdicts(report) == {"cut-drop_after": Verdict.FAILED}


def with_profile(**changes: Any) -> Subject:
    """The sandbox with another profile."""
    profile: KitProfile = msgspec.structs.replace(SANDBOX.profile, **changes)
    return msgspec.structs.replace(SANDBOX, profile=profile)


async def test_a_code_that_became_something_else_is_named() -> None:
    case = SANDBOX.profile.codes[0]
    wrong = CodeCase(case.op, case.code, case.family, ErrorType.LIMIT_EXCEEDED)
    report = await run(with_profile(codes=(wrong,)), chosen(["codes-provision"]))
    assert report.results[0].verdict is Verdict.FAILED
    assert case.code in report.results[0].seen


@pytest.mark.parametrize(
    ("spoil", "scenario"),
    [
        (lambda found: msgspec.structs.replace(found, rows=found.rows[1:]), "statement"),
        (lambda found: msgspec.structs.replace(found, problems=(), bad_lines=()), "statement-bad_trailer"),
        (lambda found: msgspec.structs.replace(found, problems=(), bad_lines=()), "statement-truncated"),
        (lambda found: msgspec.structs.replace(found, problems=(), bad_lines=()), "statement-duplicate_row"),
    ],
)
async def test_a_reader_that_skips_in_silence_is_caught(spoil: Callable[[Statement], Statement], scenario: str) -> None:
    def read(name: str, content: bytes) -> Statement:
        return spoil(SANDBOX.profile.read_statement(name, content))

    report = await run(with_profile(read_statement=read), [one for one in chosen() if one.name == scenario])
    assert verdicts(report) == {scenario: Verdict.FAILED}


async def test_a_reader_that_raises_is_caught() -> None:
    def read(name: str, content: bytes) -> Statement:
        raise UnicodeDecodeError("utf-8", content, 0, 1, "no")

    report = await run(with_profile(read_statement=read), [one for one in chosen() if one.name == "statement"])
    assert verdicts(report) == {"statement": Verdict.FAILED}


async def test_against_a_sandbox_of_the_providers_own_nothing_needs_the_simulator() -> None:
    """The simulator stands in for it, its control API unused, with a till map that does not have the kit's till."""
    async with SANDBOX.profile.start() as elsewhere:
        settings = dict(SANDBOX.profile.settings(elsewhere)) | {"outlet_map": {"somebody": "S001"}}
        del settings["default_outlet"]
        target = Target(elsewhere.url, settings, product="SBXFIX500", amount_cents=50_000)
        report = await run(SANDBOX, chosen(), target)
        ops = {entry["op"] for entry in elsewhere.frame.journal.listed(None, None)}
        sold = {voucher.product_id for voucher in elsewhere.provider.book.vouchers.values()}  # type: ignore[attr-defined]
    assert report.passed, [result.seen for result in report.results if result.verdict is Verdict.FAILED]
    assert report.target == elsewhere.url
    assert {"provision", "retry", "status", "lookup", "redeem", "refund", "reverse", "products"} <= ops
    assert sold == {"SBXFIX500"}
    skipped = {result.seen for result in report.results if result.verdict is Verdict.SKIPPED}
    assert skipped == {"it needs the simulator"}


async def test_a_report_tells_all_in_three_ways() -> None:
    report = await run(SANDBOX, chosen(["sale", "no-tender"]))
    page, found = report.as_markdown(), report.as_json()
    assert report.summary.startswith("sandbox: 1 passed, 0 failed, 1 skipped in ")
    for text in (
        SANDBOX.profile.evidence,
        "provision=native",
        "its simulator",
        "Approved, 10000 cents",
        "tenderFirst=no",
    ):
        assert text in page, text
    assert (found["passed"], found["failed"], found["skipped"]) == (1, 0, 1)
    assert found["results"][0] == {
        "scenario": "sale",
        "check": 1,
        "title": "A sale brings one voucher of the value asked for.",
        "result": "passed",
        "seen": "Approved, 10000 cents",
        "duration_ms": IsInt(),
    }


def test_a_name_chooses_itself_or_all_that_begin_so() -> None:
    assert [one.name for one in chosen(["sale"])] == ["sale"]
    assert {one.name for one in chosen(["cut-drop"])} == {"cut-drop_before", "cut-drop_after"}
    with pytest.raises(LookupError):
        chosen(["sales"])


async def test_what_does_not_apply_is_reported_with_its_reason() -> None:
    reason = "no outlet is in its messages"
    report = await run(with_profile(not_applicable={"wrong-*": reason}), chosen(["wrong"]))
    assert {(result.verdict, result.seen) for result in report.results} == {(Verdict.SKIPPED, reason)}
    assert not report.passed, "nothing was tried"
