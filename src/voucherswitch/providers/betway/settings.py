"""Settings of Betway (providers.md 10.1, 10.5). Proposed protocol."""

from typing import Annotated

from msgspec import Meta

from voucherswitch.providers.contract.settings import BasePath, Credential, Milliseconds, ProviderSettings


class BetwaySettings(ProviderSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What Betway needs beyond the common keys.

    Attributes:
        poll_min_ms, poll_max_ms: what a provider's wish for the next question is kept between.
        cancel_pending_after_s: an order that is still pending so long after the originator's deadline is to be
            cancelled. The switch's resolver reads it; the connector does not.
    """

    base_path: BasePath = "/voucher-partner/v2"
    token: Credential
    poll_min_ms: Milliseconds = 100
    poll_max_ms: Milliseconds = 5_000
    cancel_pending_after_s: Annotated[int, Meta(ge=0, le=86_400, description="seconds, 0 to 86400")] = 60
    read_timeout_ms: Milliseconds = 10_000
    total_timeout_ms: Milliseconds = 25_000
    pin_pattern: Annotated[str, Meta(min_length=1, description="a regular expression for a whole PIN")] = r"[0-9]{10}"
