"""The plan of faults of `voucherswitch torture`: the seed decides all of it, and every kind comes up."""

from itertools import islice
from typing import Final

from voucherswitch.cli.torture import faults
from voucherswitch.cli.torture.plan import Fault, plan

PROVIDERS: Final = ("sandbox", "ott", "flash")
LEASE_S: Final = 4.0


def _first(number: int, seed: int) -> list[Fault]:
    return list(islice(plan(seed, PROVIDERS, LEASE_S), number))


def test_the_same_seed_gives_the_same_faults_and_another_seed_others() -> None:
    assert _first(500, 1) == _first(500, 1)
    assert _first(500, 1) != _first(500, 2)


def test_every_fault_of_a_plan_can_be_done() -> None:
    for fault in _first(2_000, 1):
        assert callable(getattr(faults.Injector, f"_{fault.action}")), fault


def test_a_plan_kills_freezes_and_restarts_every_process_and_breaks_every_connection() -> None:
    drawn = _first(2_000, 1)
    for action, targets in {
        "kill": {"switch-1", "switch-2", "worker-1", "worker-2"},
        "freeze": {"switch-1", "switch-2", "worker-1", "worker-2", "simulators"},
        "network": {*PROVIDERS, "interface", "database-of-switches", "database-of-workers"},
        "script": set(PROVIDERS),
        "clock": set(PROVIDERS),
    }.items():
        assert {fault.target for fault in drawn if fault.action == action} == targets
    assert {fault.params["how"] for fault in drawn if fault.action == "database"} == {"fast", "immediate", "kill"}


def test_some_freezes_outlast_a_lease() -> None:
    assert any(fault.action == "freeze" and fault.lasts_s > LEASE_S for fault in _first(2_000, 1))


def test_a_ten_minute_run_has_room_for_two_hundred_faults() -> None:
    """The database's own restarts and the machine's slowness come on top."""
    spent_s = sum(fault.lasts_s + fault.then_s for fault in _first(200, 1))
    assert spent_s < 8 * 60
