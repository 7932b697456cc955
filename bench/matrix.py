"""The matrix: what is measured besides plain provisions at full load, and how (a) compares with (b) where (b) has it.

Not every combination: connections, the provider's latency and what tills do are three questions, each answered along a
line of its own through a common point, a provision at 0 ms.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from bench.measurement import Measurement
from bench.report import ratio
from bench.scenarios import PROVISION, SCENARIOS
from bench.turns import TARGET_CONNECTIONS, Turn

CONNECTIONS: Final = (1, 16, 64, TARGET_CONNECTIONS)
DELAYS_MS: Final = (50, 500)
SCENARIO_CONNECTIONS: Final = 64
ROUNDS: Final = 3
SECONDS: Final = 3.0
WARMUP: Final = 1.5


def turns_for_matrix() -> tuple[Turn, ...]:
    """All turns of a round; those of (a) and (b) that are compared follow each other."""
    return tuple(_turns())


def _turns() -> Iterator[Turn]:
    for connections in CONNECTIONS:
        for contender in ("a", "b"):
            yield _turn(contender, PROVISION, connections)
    for delay_ms in DELAYS_MS:
        for contender in ("a", "b"):
            yield _turn(contender, PROVISION, TARGET_CONNECTIONS, delay_ms)
    for scenario in SCENARIOS:
        if scenario != PROVISION:
            yield _turn("a", scenario, SCENARIO_CONNECTIONS)


def _turn(contender: str, scenario: str, connections: int, delay_ms: int = 0) -> Turn:
    title = SCENARIOS[scenario].title
    if delay_ms:
        label = f"{title}, {delay_ms} ms"
    elif scenario != PROVISION:
        label = title
    else:
        label = f"{title}, {connections} till{'' if connections == 1 else 's'}"
    key = f"{contender} {scenario}@{connections}" + (f"+{delay_ms}ms" if delay_ms else "")
    return Turn(key, contender, connections, scenario=scenario, delay_ms=delay_ms, label=label)


def matrix_ratios(measured: Mapping[str, Sequence[Measurement]]) -> dict[str, list[float]]:
    """Return a/b of each turn that both have, by what it is: the rounds in order."""
    found = {}
    for key, rounds in measured.items():
        contender, _, what = key.partition(" ")
        others = measured.get(f"b {what}")
        if contender == "a" and others is not None:
            found[f"a/b {what}"] = [ratio(one.rate, other.rate) for one, other in zip(rounds, others, strict=True)]
    return found
