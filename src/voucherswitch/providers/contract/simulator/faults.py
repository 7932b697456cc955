"""The faults that tests order: which request gets which, and how often (providers.md B.12)."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Final, Literal, get_args

from msgspec import Meta, Struct

FAULTS_MAX: Final = 1_000
BODY_BYTES_MAX: Final = 64 * 1024 * 1024  # of an oversize answer

CommonKind = Literal[
    "delay",
    "late",
    "late_processing",
    "hang_before",
    "hang_after",
    "drop_before",
    "drop_after",
    "rst_before",
    "rst_after",
    "http",
    "decline",
    "malformed",
    "truncate",
    "oversize",
    "wrong_amount",
    "wrong_reference",
    "no_pin",
    "bad_pin",
    "auth_fail",
    "split",
    "slow_bytes",
    "refuse_connect",
]
KINDS: Final = frozenset(get_args(CommonKind))
Count = Annotated[int, Meta(ge=0, le=1_000_000_000)]


class Params(Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    """What the kinds need; each reads its own. `body` is sent as it is when it is text, else as JSON."""

    ms: Annotated[float, Meta(ge=0, le=86_400_000)] = 0
    status: Annotated[int, Meta(ge=100, le=599)] = 500
    body: Any = ""
    processed: bool | None = None
    code: str = ""
    bytes: Annotated[int, Meta(ge=0, le=BODY_BYTES_MAX)] | None = None
    delta_cents: int = 1
    sizes: tuple[Annotated[int, Meta(ge=1)], ...] = (1,)
    gap_ms: Annotated[float, Meta(ge=0, le=60_000)] = 0


NO_PARAMS: Final = Params()


class Match(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Which requests; what is not named matches all."""

    reference: str | None = None


ANY: Final = Match()


class Fault(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What happens to the requests that match. `kind` is one of `KINDS` or of the provider's own."""

    kind: str
    op: str = "*"
    times: Count = 1
    skip: Count = 0
    match: Match = ANY
    params: Params = NO_PARAMS


class ArmedFault(Struct):
    """A fault with what is left of its counts."""

    fault_id: str
    fault: Fault
    skip_left: int
    times_left: int  # -1: without end


class FaultBook:
    """The armed faults, in the order in which they were made."""

    def __init__(self) -> None:
        self._armed: list[ArmedFault] = []
        self._made = 0

    def __bool__(self) -> bool:
        return bool(self._armed)

    def __iter__(self) -> Iterator[ArmedFault]:
        return iter(self._armed)

    def add(self, fault: Fault) -> str:
        """Arm a fault; returns its id."""
        if len(self._armed) >= FAULTS_MAX:
            raise OverflowError(f"at most {FAULTS_MAX} faults can be armed")
        self._made += 1
        fault_id = f"F{self._made}"
        self._armed.append(ArmedFault(fault_id, fault, fault.skip, fault.times or -1))
        return fault_id

    def clear(self) -> None:
        """Disarm all; ids go on counting, so that no two faults of a test have the same."""
        self._armed.clear()

    def reset(self) -> None:
        """Disarm all and count from the beginning."""
        self.clear()
        self._made = 0

    def take(self, names: Iterable[str], reference: str) -> ArmedFault | None:
        """The fault for a request that goes by these names and this reference; the first armed one wins."""
        names = {*names, "*"}
        for armed in self._armed:
            fault = armed.fault
            if fault.op not in names or fault.match.reference not in (None, reference):
                continue
            if armed.skip_left > 0:
                armed.skip_left -= 1
                continue
            if armed.times_left > 0:
                armed.times_left -= 1
                if armed.times_left == 0:
                    self._armed.remove(armed)
            return armed
        return None
