"""Seeds pass, repeat exactly, and would not pass if the product were wrong."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

import pytest
from msgspec import Struct

from simulation.runner import Simulation
from voucherswitch.journal import statements
from voucherswitch.journal.journal import Journal
from voucherswitch.journal.statements import SQL, Statement
from voucherswitch.message.outcomes import NotSent, OutcomeUnknown
from voucherswitch.saf.express import Express
from voucherswitch.switch import provision, sending

SEEDS: Final = 100  # 20,000 and more by one command: README.md
CATCH_SEEDS_MAX: Final = 400

# A row is written by one of several forms of its statement, so a guard has to be taken out of all.
FORMS: Final = {
    value.name: {value.sql, value.alone or value.sql, *value.several.values()}
    for value in vars(statements).values()
    if isinstance(value, Statement)
}


@pytest.mark.timeout(600)
def test_no_seed_breaks_an_invariant(simulation: Simulation) -> None:
    """Whatever is lost, late, repeated or killed: the four books agree, and what is open is listed."""
    for seed in range(SEEDS):
        result = simulation.run(seed)
        assert not result.faults, result.story()


def test_a_seed_repeats_exactly(simulation: Simulation) -> None:
    """A failure that cannot be seen again cannot be mended."""
    for seed in (3, 7, 19):
        assert simulation.run(seed).events == simulation.run(seed).events


class Fault(Struct, frozen=True):
    """One thing done wrong in the product: a guard taken out of a statement, or a part replaced."""

    name: str
    sql: tuple[str, str, str] | None = None  # statement, what is taken out, what is put there
    part: tuple[Any, str, Callable[..., Any]] | None = None
    near: int = 0  # a seed a little before the first that caught it: where looking costs least


_ask, _attempted, _close, _advise = sending.ask, sending._attempted, sending.close, Journal.advise


async def _ask_and_take_silence_for_no(*args: Any) -> Any:
    outcome = await _ask(*args)
    return NotSent(outcome.error_type) if isinstance(outcome, OutcomeUnknown) else outcome


async def _attempt_twice(*args: Any) -> Any:
    outcome = await _attempted(*args)
    return await _attempted(*args) if isinstance(outcome, OutcomeUnknown) else outcome


async def _close_later(deps: Any, *args: Any) -> bool:
    _begin(_close(deps, *args))
    return True


async def _advise_later(journal: Journal, *args: Any) -> bool:
    _begin(_advise(journal, *args))
    return True


def _begin(work: Coroutine[Any, Any, bool]) -> None:
    asyncio.get_running_loop().create_task(work).add_done_callback(lambda done: done.cancelled() or done.exception())


async def _deliver_nothing(*_: Any) -> bool:
    return True


_GUARDED = " AND (d.from_states >> t.state) & 1 = 1\n    RETURNING t.request_id, t.generation, t.kind"
_ANY_STATE = "ELSE (d.from_states >> t.state) & 1 = 1"
_SETTLED = "coalesce(t.call_ended_at, t.call_until, t.opened_at)"

FAULTS: Final = (
    Fault("a late answer overwrites a reversal", sql=("close_transactions", _GUARDED, _GUARDED.partition("\n")[2])),
    Fault("an approval overwrites a reversal", sql=("approve_provisions", " AND t.state = 1 AND t.kind = 1", "")),
    Fault("a taken id is opened again", sql=("open_transactions", "DO NOTHING", "DO UPDATE SET opening = 1")),
    Fault("a claimed voucher is claimed again", sql=("open_movements", "AND v.open_id IS NULL", "")),
    Fault("an advice is taken in any state", sql=("advise", _ANY_STATE, "ELSE true")),
    Fault("the settle time counts from the start", sql=("claim_advices", _SETTLED, "t.opened_at"), near=240),
    Fault("silence is taken for a no", part=(provision, "ask", _ask_and_take_silence_for_no)),
    Fault("a request is sent again after silence", part=(sending, "_attempted", _attempt_twice)),
    Fault("an outcome is told before it is durable", part=(sending, "close", _close_later)),
    Fault("an advice is acknowledged before it is durable", part=(Journal, "advise", _advise_later)),
    Fault("a redemption overtakes a confirmation", part=(Express, "deliver", _deliver_nothing)),
)  # fmt: skip


@pytest.mark.timeout(600)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.replace(" ", "-"))
def test_the_simulation_catches(simulation: Simulation, fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each fault breaks an invariant within a few hundred seeds; without faults all of these pass."""
    if fault.sql is not None:
        name, old, new = fault.sql
        forms = FORMS.get(name, {SQL[name]})
        assert all(old in form for form in forms), "the statement has changed: find its guard again"
        monkeypatch.setattr(simulation.database, "changes", {form: form.replace(old, new) for form in forms})
    if fault.part is not None:
        monkeypatch.setattr(*fault.part)
    caught = next(
        (seed for seed in range(fault.near, fault.near + CATCH_SEEDS_MAX) if simulation.run(seed).faults), None
    )
    assert caught is not None
