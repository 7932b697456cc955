"""The plan of faults, drawn from the seed: which, on what, how long, and how long until the next. Pure.

One fault at a time for a second or so: faults that overlap for minutes would only show that a switch whose providers
and database are gone sells nothing.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeAlias

from msgspec import Struct

from voucherswitch.cli.torture.proxy import ProxyFault


class Fault(Struct, frozen=True, kw_only=True):
    """One fault to inject.

    Attributes:
        kind: what people read in the table: "network: cut", "kill -9: switch".
        action: the method of `Injector` that does it.
        target: a proxy's target, a process, a provider; empty where there is one of its kind only.
        lasts_s: how long it holds; 0 for what is over at once.
        then_s: pause until the next one.
    """

    number: int
    kind: str
    action: str
    target: str = ""
    lasts_s: float = 0.0
    then_s: float = 0.3
    network: ProxyFault | None = None
    params: dict[str, Any] = {}

    def __str__(self) -> str:
        return f"{self.kind} {self.target}".strip()


Draw: TypeAlias = Callable[[random.Random], dict[str, Any]]

# Shares of all faults. What stops the whole switch for seconds is rare, what loses a message is frequent.
_PROCESSES: Final = ("switch-1", "switch-2", "worker-1", "worker-2")
_SWITCH_DATABASES: Final = ("database-of-switches", "database-of-workers")

# What a provider can do wrong, in the words of the simulators' control API. A 503 that had an effect all the same, or a
# decline of what was processed, would be a lie: against that only the provider's file helps.
_SCRIPTS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("delay", {"ms": 700}),
    ("late", {"ms": 1_200}),
    ("late_processing", {"ms": 1_500}),
    ("hang_before", {}),
    ("hang_after", {}),
    ("drop_before", {}),
    ("drop_after", {}),
    ("rst_before", {}),
    ("rst_after", {}),
    ("http", {"status": 500, "processed": True}),
    ("http", {"status": 500, "processed": False}),
    ("http", {"status": 502, "processed": True}),
    ("malformed", {"processed": True}),
    ("malformed", {"processed": False}),
    ("truncate", {"processed": True}),
    ("wrong_amount", {"deltaCents": 100}),
    ("wrong_reference", {}),
    ("no_pin", {}),
    ("bad_pin", {}),
    ("split", {"sizes": [1, 7], "gapMs": 2}),
    ("slow_bytes", {"ms": 800}),
    ("refuse_connect", {"ms": 900}),
)


def plan(seed: int, providers: Sequence[str], lease_s: float) -> Iterator[Fault]:
    """Every fault of a run, without end; the same for the same seed."""
    choose = random.Random(f"faults {seed}")  # noqa: S311 (repeatable is what it must be)
    draws: list[tuple[int, Draw]] = [
        (26, lambda r: _network(r, r.choice(providers))),
        (28, lambda r: _script(r, r.choice(providers))),
        (12, lambda r: _network(r, "interface")),
        (14, lambda r: _network(r, r.choice(_SWITCH_DATABASES))),
        (5, _backend),
        (2, lambda r: _clock(r, r.choice(providers))),
        (5, _killed),
        (4, lambda r: _frozen(r, lease_s)),
        (1, _stopped_in_order),
        (2, _database_down),
        (1, _table_locked),
    ]
    weights = [weight for weight, _ in draws]
    number = 0
    while True:
        number += 1
        draw = choose.choices([draw for _, draw in draws], weights)[0]
        yield Fault(number=number, then_s=choose.uniform(0.1, 0.7), **draw(choose))


def _network(choose: random.Random, target: str) -> dict[str, Any]:
    side = choose.choice(("up", "down", "both"))
    kind = choose.choices(
        ("delay", "throttle", "cut", "reset", "black_hole", "half_close", "refuse"), (3, 1, 6, 3, 2, 1, 1)
    )[0]
    fault = ProxyFault(
        kind=kind,  # type: ignore[arg-type]  # one of the kinds, which `choices` calls text
        side=side,  # type: ignore[arg-type]
        ms=choose.randrange(20, 900) if kind == "delay" else 0,
        bytes_per_s=choose.randrange(2_000, 20_000) if kind == "throttle" else 0,
        # 0: nothing gets through; else somewhere within a message.
        after_bytes=choose.choice((0, choose.randrange(1, 600), choose.randrange(600, 3_000))) if kind == "cut" else 0,
    )
    place = "database" if target.startswith("database") else target if target == "interface" else "provider"
    return {
        "kind": f"network to {place}: {kind.replace('_', ' ')}",
        "action": "network",
        "target": target,
        "network": fault,
        "lasts_s": choose.uniform(0.3, 1.5),
    }


def _script(choose: random.Random, provider: str) -> dict[str, Any]:
    kind, params = choose.choice(_SCRIPTS)
    return {
        "kind": f"provider: {kind.replace('_', ' ')}",
        "action": "script",
        "target": provider,
        "params": {"kind": kind, "times": choose.randrange(1, 8), "params": params},
        "lasts_s": choose.uniform(0.5, 1.5),
    }


def _clock(choose: random.Random, provider: str) -> dict[str, Any]:
    step_s = choose.choice((-90, -20, -5, 5, 20, 90))
    return {
        "kind": "clock step: provider",
        "action": "clock",
        "target": provider,
        "params": {"step_s": step_s},
        "lasts_s": choose.uniform(0.5, 2.0),
    }


def _killed(choose: random.Random) -> dict[str, Any]:
    name = choose.choice(_PROCESSES)
    return {
        "kind": f"kill -9: {name.partition('-')[0]}",
        "action": "kill",
        "target": name,
        "lasts_s": choose.uniform(0.0, 2.0),
    }


def _stopped_in_order(choose: random.Random) -> dict[str, Any]:
    name = choose.choice(_PROCESSES)
    return {"kind": f"SIGTERM and start: {name.partition('-')[0]}", "action": "restart", "target": name}


def _frozen(choose: random.Random, lease_s: float) -> dict[str, Any]:
    name = choose.choice((*_PROCESSES, "simulators"))
    # Longer than a lease: who wakes up must find out that it holds nothing any more.
    lasts_s = choose.uniform(0.3, 1.5) if name == "simulators" else choose.choice((1.0, lease_s + 2.0))
    return {
        "kind": f"SIGSTOP: {name.partition('-')[0]}",
        "action": "freeze",
        "target": name,
        "lasts_s": lasts_s,
    }


def _backend(choose: random.Random) -> dict[str, Any]:
    how = choose.choices(("cancel", "terminate", "kill"), (4, 4, 1))[0]
    kind = {"cancel": "statement cancelled", "terminate": "connection ended", "kill": "kill -9 of a backend"}[how]
    return {"kind": f"database: {kind}", "action": "backend", "params": {"how": how, "pick": choose.random()}}


def _database_down(choose: random.Random) -> dict[str, Any]:
    how = choose.choice(("fast", "immediate", "kill"))
    kind = {"fast": "restart", "immediate": "immediate restart", "kill": "kill -9 of the postmaster"}[how]
    return {
        "kind": f"database: {kind}",
        "action": "database",
        "params": {"how": how},
        "lasts_s": choose.uniform(0.0, 1.0),
    }


def _table_locked(choose: random.Random) -> dict[str, Any]:
    return {"kind": "database: table locked", "action": "lock", "lasts_s": choose.uniform(0.5, 2.0)}
