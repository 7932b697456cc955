"""The run by provider: start the switch with one worker, put the same load on each provider in turns.

The simulators share the cores with the switch, so a slow simulator lowers the rate of its provider whatever the switch
does. What is compared is therefore the CPU time of the switch's process, per provision.
"""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from bench import machine
from bench.answers import answer_of
from bench.books import Books
from bench.contenders import COMMAND
from bench.database import require_durable
from bench.errors import BenchError
from bench.generator import put_own_load
from bench.measurement import Measurement
from bench.progress import Display
from bench.provider_report import ProviderReport, report_of
from bench.provider_requests import AMOUNT_CENTS, PROVIDERS, SANDBOX, request_for
from bench.rounds import temporary_folder
from bench.switch import PENDING, Switch, switch_apart

DEFAULT: Final = (SANDBOX, "flash", "bluvoucher")


class ProviderPlan(Struct, frozen=True):
    """What is measured, how often and how long. The sandbox is always among `providers`: the others' measure."""

    providers: tuple[str, ...] = DEFAULT
    rounds: int = 5
    seconds: float = 5.0
    warmup: float = 2.0
    connections: int = 16
    folder: Path | None = None
    keep: bool = False
    command: Path = COMMAND

    @property
    def measured_s(self) -> float:
        """Seconds of load that the plan asks for."""
        return self.rounds * len(self.providers) * (self.warmup + self.seconds)


def parse_providers(text: str) -> tuple[str, ...]:
    """Read a list of providers; the sandbox is always one of them, and the first."""
    wanted = {part.strip() for part in text.split(",") if part.strip()}
    if unknown := wanted - set(PROVIDERS):
        raise BenchError(f"there is no simulated provider {min(unknown)!r}; there are {', '.join(PROVIDERS)}")
    if not wanted:
        raise BenchError("--only names no provider")
    return tuple(name for name in PROVIDERS if name in wanted | {SANDBOX})


def measure_providers(plan: ProviderPlan, display: Display) -> ProviderReport:
    """Carry a plan out."""
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder(plan.folder, keep=plan.keep))
        facts = machine.describe(folder)
        notes = machine.warnings(facts)
        display.say("starting voucherswitch")
        switch = switch_apart(plan.command, folder)
        stack.callback(switch.stop)
        switch.start()
        postgres = switch.database.settings()
        require_durable(postgres)

        loads = [ProviderLoad(switch, provider, folder, plan) for provider in plan.providers]
        for load in loads:
            display.say(f"one provision: {load.provider}")
            load.try_once()
        measured: dict[str, list[Measurement]] = {provider: [] for provider in plan.providers}
        for number in range(1, plan.rounds + 1):
            for load in loads:
                display.say(f"round {number} of {plan.rounds}: {load.provider}")
                measured[load.provider].append(load.measure(number, display.tick))
                display.finished(plan.warmup + plan.seconds)
        display.say("stopping")

    settings = {
        "rounds": plan.rounds,
        "seconds": plan.seconds,
        "warmup": plan.warmup,
        "connections": plan.connections,
        "workers": 1,
        "amount_cents": AMOUNT_CENTS,
        "postgres": postgres,
    }
    return report_of(measured, machine=facts, settings=settings, notes=notes)


class ProviderLoad:
    """The load on one provider, and the books of what it brought."""

    def __init__(self, switch: Switch, provider: str, folder: Path, plan: ProviderPlan) -> None:
        self.provider = provider
        self._switch = switch
        self._plan = plan
        self._request = request_for(provider)
        self._file = folder / f"{provider}.json"
        self._file.write_bytes(msgspec.json.encode(self._request))

    def try_once(self) -> None:
        """Provision one voucher, so that a provider that cannot be measured is told before the first round."""
        answer_of(self._switch.url, self._switch.password, self.provider, self._request)

    def measure(self, number: int, tick: Callable[[], None]) -> Measurement:
        """Run one round, then compare what was answered with what the journal has of this provider."""
        switch, plan = self._switch, self._plan
        switch.database.checkpoint()
        books = Books(switch.database, approved=approved_of(self.provider), pending=PENDING, sandbox=None)
        books.open()
        one = put_own_load(
            switch.url,
            password=switch.password,
            connections=plan.connections,
            seconds=plan.seconds,
            warmup=plan.warmup,
            tick=tick,
            request=self._file,
            cpu_of=switch.worker_pid(),
        )
        switch.must_run()
        if one.errors or not one.done:
            what = f"{one.errors}, the first: {one.first_error}" if one.errors else "no provision was finished"
            raise BenchError(f"{self.provider}, round {number}: {what}")
        try:
            books.close(one, tick)
        except BenchError as error:
            raise BenchError(f"{self.provider}, round {number}: {error}") from None
        return one


def approved_of(provider: str) -> str:
    """Return the query that counts what the journal has as sold by a provider."""
    return f"SELECT count(*) FROM transaction WHERE kind = 1 AND state IN (2, 5) AND provider_id = '{provider}'"
