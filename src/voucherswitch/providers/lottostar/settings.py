"""Settings of Lottostar's proposed protocol (providers.md 3.1, 3.5)."""

from typing import Annotated

from msgspec import Meta

from voucherswitch.providers.contract.settings import BasePath, Milliseconds, ProviderSettings, Secret


class LottostarSettings(ProviderSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What Lottostar needs beyond the common keys.

    `renew_once`: a refused timestamp corrects our clock and the message is sent once more; false gives up at once.
    """

    base_path: BasePath = "/partner/v1"
    key_id: Annotated[
        str, Meta(pattern=r"^[!-~]{1,32}$", description="the key id that the provider gave us, 1 to 32 characters")
    ]
    secret: Secret
    renew_once: Annotated[bool, Meta(description="true, or false to give up on a refused timestamp")] = True
    read_timeout_ms: Milliseconds = 15_000
    total_timeout_ms: Milliseconds = 17_000
    pin_pattern: Annotated[str, Meta(min_length=1, description="a regular expression for a whole code")] = r"[0-9]{14}"
