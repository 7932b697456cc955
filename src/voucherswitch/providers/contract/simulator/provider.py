"""What a provider's simulator must offer the common frame: its protocol and its books, without a socket."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Protocol

from msgspec import Struct

from voucherswitch.providers.contract.simulator.faults import Fault
from voucherswitch.providers.contract.simulator.recon import ReconDay
from voucherswitch.providers.contract.simulator.wires import JSON_TYPE, Request


class Reply(Struct, frozen=True):
    """A provider's answer.

    `processed`: whether the request took effect; None: its status tells. `pieces`: the sizes in which it is written,
    one piece per turn of the event loop; empty: whole.
    """

    status: int
    body: bytes
    content_type: bytes = JSON_TYPE
    headers: bytes = b""  # whole lines, each with its line end; a `Date` of its own replaces the clock's
    processed: bool | None = None
    pieces: tuple[int, ...] = ()

    @property
    def took_effect(self) -> bool:
        """For the journal."""
        return self.status < 300 if self.processed is None else self.processed


class Exchange(Struct):
    """A request as its provider reads it.

    Attributes:
        op: the capability it serves, as the capability record writes it.
        wire_op: the provider's own name of the call.
        reference: the request id it is about, empty if there is none.
        message: the provider's decoded message; None when it was refused already.
        success: the HTTP status that its success has.
        refusal: what authentication or format make of it.
    """

    request: Request
    op: str
    wire_op: str
    reference: str = ""
    message: Any = None
    refusal: Reply | None = None
    success: int = 200


class ControlError(Exception):
    """A control call that cannot be served; `status` is its answer."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class ProviderSimulator(Protocol):
    """One provider's protocol and books. Every method is synchronous: a simulated provider does one thing at a time."""

    operations: frozenset[str]  # every name that a fault's `op` may have, besides `auth` and `*`
    own_faults: frozenset[str]  # fault kinds beyond the common ones

    def read(self, request: Request) -> Exchange:
        """Recognise a request; changes nothing."""

    def script(self, exchange: Exchange, now: float, /) -> Fault | None:
        """The scripted fault of this request, if it has one; called once per request that no ordered fault took."""

    def answer(self, exchange: Exchange, now: float) -> Reply:
        """Check a request and, if it passes, let it take effect."""

    def refuse_credentials(self, exchange: Exchange) -> Reply: ...
    def decline(self, exchange: Exchange, code: str) -> Reply: ...
    def spoil(self, reply: Reply, fault: Fault) -> Reply:
        """Make an answer wrong: `wrong_amount`, `wrong_reference`, `no_pin` or `bad_pin`."""

    def own_fault(self, exchange: Exchange, fault: Fault, now: float, /) -> Reply:
        """Answer a request that met one of `own_faults`, having processed it or not."""

    def reset(self) -> None:
        """Forget everything and reload the fixtures; profiles stay."""

    def totals(self) -> dict[str, Any]: ...
    def state(self, reference: str | None, code: str | None) -> dict[str, Any] | None: ...
    def seed(self, wanted: Mapping[str, Any], now: float) -> dict[str, Any]: ...
    def world_event(self, code: str, event: str, now: float) -> dict[str, Any]: ...
    def set_float(self, cents: int) -> None: ...
    def set_profile(self, wanted: Mapping[str, Any], /) -> dict[str, Any]: ...
    def recon_day(self, day: date) -> ReconDay: ...
    def control(self, method: str, path: str, wanted: Mapping[str, Any], now: float, /) -> Any:
        """A control call that only this provider has, such as `POST /__sim/keys`; its answer is sent as JSON, or as it
        is when it is a `Reply`: a file.

        `wanted` is the body of a POST, else the query. Raises `ControlError` 404 for a call it does not have.
        """
