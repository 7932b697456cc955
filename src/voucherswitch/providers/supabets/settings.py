"""Settings of Supabets (providers.md 5.1, 5.5). Proposed protocol."""

from typing import Annotated

from msgspec import Meta

from voucherswitch.providers.contract.settings import SECRET, BasePath, Milliseconds, ProviderSettings, Text


class SupabetsSettings(ProviderSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What Supabets needs beyond the common keys.

    Attributes:
        partner_id, kid, secret: who we are, and the key that signs our tokens with its name.
        late_reveal: the provider shows a PIN only once it is committed, so a sale reserves and commits in one go.
        renew_once: after `token-expired` send once more with a new token.
    """

    base_path: BasePath = "/retail-voucher/v1"
    partner_id: Text
    kid: Text
    secret: Annotated[
        str, Meta(min_length=32, description="the provider's secret, at least 32 characters", extra=SECRET)
    ]
    late_reveal: Annotated[bool, Meta(description="true or false")] = False
    renew_once: Annotated[bool, Meta(description="true or false")] = True
    read_timeout_ms: Milliseconds = 15_000
    total_timeout_ms: Milliseconds = 17_000
    pin_pattern: Annotated[str, Meta(min_length=1, description="a regular expression for a whole PIN")] = r"[0-9]{13}"
