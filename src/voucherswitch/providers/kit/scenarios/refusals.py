"""What the provider says no with: every code of its tables, codes it does not list, and HTTP's own (checks 7, 8)."""

from typing import Final

from voucherswitch.message.codes import ErrorType
from voucherswitch.message.outcomes import Acknowledged, Declined, NotSent, OutcomeUnknown, Pending, Refused
from voucherswitch.providers.contract.capabilities import Capabilities
from voucherswitch.providers.contract.families import Effect
from voucherswitch.providers.contract.kit import AdviceCase, CodeCase, KitProfile
from voucherswitch.providers.kit.scenario import Scenario, alert_of, any_advice, expect, scenario, sends, words
from voucherswitch.providers.kit.scenarios.operations import ADVICES, REQUESTS, prepared, prepared_advice
from voucherswitch.providers.kit.stand import SETTLE_MS, Stand

NOT_ANSWERS: Final = (500, 502, 503, 504, 302, 418)


def _codes(operation: str) -> Scenario:
    def needs(profile: KitProfile, _record: Capabilities) -> str | None:
        return None if any(case.op == operation for case in profile.codes) else "the profile has no code for it"

    @scenario(
        f"codes-{operation}", 7, needs=needs, title=f"Every listed code of {operation} becomes what its table says."
    )
    async def check(stand: Stand) -> str:
        cases = [case for case in stand.profile.codes if case.op == operation]
        for case in cases:
            await _try_code(stand, case)
        return f"{len(cases)} codes: {' '.join(case.code for case in cases)}"

    return check


async def _try_code(stand: Stand, case: CodeCase) -> None:
    act = await prepared(stand, case.op)
    before = await stand.sim.totals()
    # Without end, so that a connector that renews its token and sends once more is refused again.
    await stand.sim.fault("decline", case.op, times=0, code=case.code)
    outcome = await act()
    await stand.sim.clear_faults()
    expected = f"code {case.code}: {case.family.value} {case.error_type}" + (f" + {case.alert}" if case.alert else "")
    same = type(outcome).__name__ == case.family.value and outcome.error_type is case.error_type
    expect(same and alert_of(outcome) == case.alert, expected, outcome)
    expect(outcome.provider_code is not None, f"code {case.code}: the provider's code in the outcome", "none")
    after = await stand.sim.totals()
    expect(after["vouchers"] == before["vouchers"], f"code {case.code}: no voucher", "one was issued")


def _advice_codes(advice: str) -> Scenario:
    def needs(profile: KitProfile, record: Capabilities) -> str | None:
        if not any(case.op == advice for case in profile.advice_codes):
            return "the profile has no code for it"
        return sends(advice)(profile, record)

    title = f"Every listed code of {advice} ends, parks or keeps the advice as its table says."

    @scenario(f"codes-{advice}", 7, needs=needs, title=title)
    async def check(stand: Stand) -> str:
        cases = [case for case in stand.profile.advice_codes if case.op == advice]
        for case in cases:
            await _try_advice_code(stand, case)
        return f"{len(cases)} codes: {' '.join(case.code for case in cases)}"

    return check


async def _try_advice_code(stand: Stand, case: AdviceCase) -> None:
    deliver = await prepared_advice(stand, case.op)
    await stand.sim.fault("decline", case.op, times=0, code=case.code)
    early, settled = await deliver(), await deliver(sent_ms_ago=SETTLE_MS)
    await stand.sim.clear_faults()
    now, later = {
        Effect.DONE: (Acknowledged, Acknowledged),
        Effect.DONE_ONCE_SETTLED: (Pending, Acknowledged),
        Effect.REFUSED: (Refused, Refused),
        Effect.WAIT: (Pending, Pending),
    }[case.effect]
    expect(isinstance(early, now), f"code {case.code}: {now.__name__} ({case.effect.value})", early)
    expect(isinstance(settled, later), f"code {case.code} once settled: {later.__name__}", settled)
    expect(alert_of(early) == case.alert, f"code {case.code}: alert {case.alert}", early)


@scenario("unlisted-code", 8)
async def unlisted_code(stand: Stand) -> str:
    """A code that no table has leaves a doubt, until the settings' code_map says what it means."""
    code = stand.profile.unlisted_code
    await stand.sim.fault("decline", "provision", code=code)
    outcome = await stand.provision()
    expect(isinstance(outcome, OutcomeUnknown), f"OutcomeUnknown for code {code}", outcome)
    await stand.expect_sent_once()
    await stand.sim.clear_faults()
    stand.connector = stand.with_settings(code_map={code: ["Declined", "LIMIT_EXCEEDED"]})
    await stand.sim.fault("decline", "provision", code=code)
    mapped = await stand.provision()
    limited = isinstance(mapped, Declined) and mapped.error_type is ErrorType.LIMIT_EXCEEDED
    expect(limited, "Declined LIMIT_EXCEEDED once code_map says so", mapped)
    return f"{words(outcome)}; mapped: {words(mapped)}"


@scenario("unlisted-code-advice", 8, needs=any_advice)
async def unlisted_code_advice(stand: Stand) -> str:
    """An advice that is answered by a code no table has stays queued."""
    seen = []
    for advice in ("confirm", "reverse"):
        if sends(advice)(stand.profile, stand.record) is None:
            deliver = await prepared_advice(stand, advice)
            await stand.sim.fault("decline", advice, times=2, code=stand.profile.unlisted_code)
            result = await deliver(sent_ms_ago=SETTLE_MS)
            expect(isinstance(result, Pending), f"{advice} pending", result)
            await stand.sim.clear_faults()
            seen.append(f"{advice}: {words(result)}")
    return "; ".join(seen)


def _http(status: int) -> Scenario:
    @scenario(f"http-{status}", 8, title=f"HTTP {status} leaves a doubt, keeps an advice queued and is no proof.")
    async def check(stand: Stand) -> str:
        await stand.sim.fault("http", "provision", status=status, body="<html>")
        outcome = await stand.provision()
        expect(isinstance(outcome, OutcomeUnknown), "OutcomeUnknown", outcome)
        await stand.expect_sent_once()
        await stand.sim.clear_faults()
        seen = words(outcome)
        for name in ("retry", "status"):
            if sends(name)(stand.profile, stand.record) is None:
                act = await prepared(stand, name)
                await stand.sim.fault("http", "*", times=0, status=status, body="<html>")
                asked = await act()
                expect(isinstance(asked, OutcomeUnknown), f"{name} OutcomeUnknown", asked)
                await stand.sim.clear_faults()
        for advice in ADVICES:
            if sends(advice)(stand.profile, stand.record) is None:
                deliver = await prepared_advice(stand, advice)
                await stand.sim.fault("http", "*", times=0, status=status, body="<html>")
                result = await deliver(sent_ms_ago=SETTLE_MS)
                expect(isinstance(result, Pending), f"{advice} pending", result)
                await stand.sim.clear_faults()
        return seen

    return check


def _listed_503(profile: KitProfile, _record: Capabilities) -> str | None:
    return "every 503 of this provider leaves a doubt" if profile.not_sent_503 is None else None


@scenario("http-503-listed", 8, needs=_listed_503)
async def http_503_listed(stand: Stand) -> str:
    """The 503 that the provider's table lists proves that nothing was processed; a resend that meets it does not."""
    body = stand.profile.not_sent_503
    await stand.sim.fault("http", "provision", status=503, body=body)
    outcome = await stand.provision()
    busy = isinstance(outcome, NotSent) and outcome.error_type is ErrorType.UPSTREAM_UNAVAILABLE
    expect(busy, "NotSent UPSTREAM_UNAVAILABLE", outcome)
    await stand.expect_sent_once()
    if stand.record.retry.sends:
        act = await prepared(stand, "retry")
        await stand.sim.fault("http", "*", times=0, status=503, body=body)
        resent = await act()
        expect(isinstance(resent, OutcomeUnknown), "a resend OutcomeUnknown", resent)
    return words(outcome)


SCENARIOS: Final[tuple[Scenario, ...]] = (
    *(_codes(operation) for operation in REQUESTS),
    *(_advice_codes(advice) for advice in ADVICES),
    unlisted_code,
    unlisted_code_advice,
    *(_http(status) for status in NOT_ANSWERS),
    http_503_listed,
)
