"""What an exchange proves when it brings no answer. The same for every transport.

`cause` is for operators. `told` is what the originator may hear of it, who is somebody else.
"""

from typing import Final

from msgspec import Struct

_UNREACHED: Final = "the provider was not reached"


class NoConnection(Struct, frozen=True):
    """Proved: no byte of the request left this machine. `ours`: we held it back, which says nothing of the provider.

    `private`: the cause names addresses, keys or files.
    """

    cause: str
    ours: bool = False
    private: bool = False

    @property
    def told(self) -> str:
        """The cause without what is nobody else's business."""
        return _UNREACHED if self.private else self.cause


class NoAnswer(Struct, frozen=True):
    """The request, or a part of it, may have arrived; no usable answer came. `alert`: an unusable one did."""

    cause: str
    alert: str | None = None
    status: int | None = None

    @property
    def told(self) -> str:
        """The cause: it never names more than what happened to the exchange."""
        return self.cause
