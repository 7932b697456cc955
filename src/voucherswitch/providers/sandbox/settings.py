"""Settings of the sandbox (providers.md 11.1, 11.6)."""

from typing import Annotated

from msgspec import Meta

from voucherswitch.providers.contract.settings import BasePath, Credential, Milliseconds, ProviderSettings


class SandboxSettings(ProviderSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the sandbox needs beyond the common keys."""

    base_path: BasePath = "/sandbox/v1"
    api_key: Credential
    read_timeout_ms: Milliseconds = 12_000
    total_timeout_ms: Milliseconds = 15_000
    pin_pattern: Annotated[str, Meta(min_length=1, description="a regular expression for a whole code")] = (
        r"[0-9A-Za-z-]{1,40}"
    )
