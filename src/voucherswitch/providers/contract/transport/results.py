"""What an exchange proves when it brings no answer. The same for every transport."""

from msgspec import Struct


class NoConnection(Struct, frozen=True):
    """Proved: no byte of the request left this machine. `ours`: we held it back, which says nothing of the provider."""

    cause: str
    ours: bool = False


class NoAnswer(Struct, frozen=True):
    """The request, or a part of it, may have arrived; no usable answer came. `alert`: an unusable one did."""

    cause: str
    alert: str | None = None
    status: int | None = None
