"""Settings of Yoyo (providers.md 7.1, 7.5): one account for issuing, one for the point of sale."""

from typing import Annotated, Literal

from msgspec import Meta

from voucherswitch.providers.contract.settings import BasePath, BaseUrl, Credential, Milliseconds, ProviderSettings


class YoyoSettings(ProviderSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What Yoyo needs beyond the common keys.

    Attributes:
        user_ref_mode: `unique` marks every item with our request id, so that a lost one is found again; `customer`
            with the customer's number, so that the brand's caps per user hold, and nothing is found again.
        coupon_delete, coupon_get: whether this deployment takes DELETE and GET of a coupon, which is not documented.
        pos_base_url: where redemption is, if not at `base_url`.
        allow_partial: take a redemption of less than was asked for. False: it is reversed and declined.
        ask_balance: ask for a gift card's balance after its redemption, whose own answer does not tell it.
    """

    cvs_path: BasePath = "/cvs-issuer/rest"
    api_id: Credential
    api_password: Credential
    user_ref_mode: Annotated[Literal["unique", "customer"], Meta(description="unique or customer")] = "unique"
    coupon_delete: bool = False
    coupon_get: bool = False
    pos_base_url: BaseUrl | None = None
    pos_path: BasePath = "/wigroup-transactionengine/pos-providers"
    pos_id: Credential
    pos_password: Credential
    allow_partial: bool = False
    ask_balance: bool = True
    read_timeout_ms: Milliseconds = 30_000
    total_timeout_ms: Milliseconds = 32_000
    pin_pattern: Annotated[str, Meta(min_length=1, description="a regular expression for a whole wiCode")] = (
        r"[0-9]{7,16}"
    )
