"""Runs scenarios, each against a provider of its own that knows nothing yet, and tells what came of it."""

import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from voucherswitch.providers.contract.capabilities import Capabilities
from voucherswitch.providers.contract.connector import ProviderSettingsError
from voucherswitch.providers.kit.control import ControlError, SimulatorControl
from voucherswitch.providers.kit.report import Report, Result, Verdict
from voucherswitch.providers.kit.scenario import Mismatch, Scenario
from voucherswitch.providers.kit.scenarios import ALL
from voucherswitch.providers.kit.stand import Stand
from voucherswitch.providers.kit.subject import Subject

ITS_SIMULATOR: Final = "its simulator"
TO_DO_FIRST: Final = "the to-do list in its kit.py comes first; --only tries it all the same"


class Target(Struct, frozen=True):
    """A provider's own sandbox, to try the connector against instead of the simulator.

    `settings` are the connector's, address and secrets included. A product or amount that is None is the profile's.
    """

    address: str
    settings: Mapping[str, Any]
    product: str | None = None
    amount_cents: int | None = None


def chosen(only: Collection[str] = ()) -> tuple[Scenario, ...]:
    """The scenarios of these names, each a whole one or the beginning of several; all if none is given.

    Raises:
        LookupError: a name that no scenario has or begins with.
    """
    found: set[str] = set()
    for name in only:
        exact = {one.name for one in ALL if one.name == name}
        begun = exact or {one.name for one in ALL if one.name.startswith(name)}
        if not begun:
            raise LookupError(name)
        found |= begun
    return tuple(one for one in ALL if not only or one.name in found)


async def run(
    subject: Subject,
    scenarios: Collection[Scenario],
    target: Target | None = None,
    done: Callable[[Result], None] | None = None,
    *,
    unfinished: bool = False,
) -> Report:
    """Run scenarios one after the other; `done` is called after each.

    A provider with a to-do list fails by it and is not tried, unless `unfinished` says that it shall be all the same.

    Raises:
        ProviderSettingsError: the connector refuses its settings.
    """
    started = datetime.now(UTC)
    async with _stand(subject, target) as stand:  # the settings have the last word on the record
        record = stand.record
    steps = enumerate(subject.profile.to_do, start=1)
    results = [Result(f"to-do-{n}", 0, "To be written.", Verdict.FAILED, step, 0) for n, step in steps]
    for one in scenarios:
        if subject.profile.to_do and not unfinished:
            result = Result(one.name, one.number, one.title, Verdict.SKIPPED, TO_DO_FIRST, 0)
        else:
            result = await run_one(subject, one, target, record)
        results.append(result)
        if done is not None:
            done(result)
    address = ITS_SIMULATOR if target is None else target.address
    return Report.of(subject.name, subject.profile, record, address, started, tuple(results))


async def run_one(
    subject: Subject, one: Scenario, target: Target | None = None, record: Capabilities | None = None
) -> Result:
    """Run one scenario; whatever the provider or its connector does in it is a result.

    `record` is what the connector says it supports; None: it is asked.
    """
    started = time.perf_counter()

    def result(verdict: Verdict, seen: str) -> Result:
        duration_ms = round((time.perf_counter() - started) * 1000)
        return Result(one.name, one.number, one.title, verdict, seen, duration_ms)

    live = target is not None
    if record is not None and (reason := one.skipped(subject.profile, record, live=live)):
        return result(Verdict.SKIPPED, reason)
    try:
        async with _stand(subject, target) as stand:
            if reason := one.skipped(subject.profile, stand.record, live=live):
                return result(Verdict.SKIPPED, reason)
            seen = await one.check(stand)
            leaks = [*stand.leaks(), *await _journal_leaks(stand)]
            return result(Verdict.FAILED if leaks else Verdict.PASSED, "; ".join(leaks) or seen)
    except Mismatch as mismatch:
        return result(Verdict.FAILED, str(mismatch))
    except ControlError as error:
        return result(Verdict.FAILED, f"the simulator refused what the scenario needs: {error}")
    except ProviderSettingsError:
        raise
    except Exception as error:  # one scenario that trips must not take the others with it
        return result(Verdict.FAILED, f"the scenario could not go on: {type(error).__name__}: {error}")


@asynccontextmanager
async def _stand(subject: Subject, target: Target | None) -> AsyncIterator[Stand]:
    """A stand before the target, or before a simulator that is started for it."""
    if target is not None:
        stand = Stand(subject.name, subject.profile, subject.connect, _with_outlet(target.settings))
        stand.product = target.product or stand.product
        stand.amount_cents = target.amount_cents or stand.amount_cents
        stand.redeem_cents = min(stand.redeem_cents, stand.amount_cents)
        try:
            yield stand
        finally:
            await stand.close()
        return
    async with subject.profile.start() as simulator:
        control = SimulatorControl(simulator.control_url)
        if subject.profile.simulator_profile:
            await control.profile(subject.profile.simulator_profile)
        stand = Stand(subject.name, subject.profile, subject.connect, subject.profile.settings(simulator), control)
        try:
            yield stand
        finally:
            await stand.close()


def _with_outlet(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Settings that serve the kit's till: it belongs to no merchant, so it takes the first outlet there is."""
    outlets = settings.get("outlet_map") or {}
    return {"default_outlet": next(iter(outlets.values()), None)} | dict(settings)


async def _journal_leaks(stand: Stand) -> list[str]:
    if not stand.simulated:
        return []
    journal = msgspec.json.encode(await stand.sim.journal()).decode()
    leaked = any(secret in journal for secret in stand.long_secrets)
    return ["a voucher's code is in the simulator's journal"] if leaked else []
