"""The same sale at every provider: R100 in cash, so that requests differ in brand and product and in nothing else."""

from typing import Final

from bench.errors import BenchError
from bench.provision import RECEIVER, REQUEST
from voucherswitch.catalogue.brands import SIMULATED_BRANDS, SimulatedBrand

SANDBOX: Final = "sandbox"
PROVIDERS: Final = (SANDBOX, *sorted(brand.provider_id for brand in SIMULATED_BRANDS))
AMOUNT_CENTS: Final = 10_000
SANDBOX_PRODUCT: Final = "MOBIANY"


def request_for(provider: str) -> dict[str, object]:
    """Return the request that is routed to a provider.

    It names the tender everywhere, and the slip, though only some providers want to know how the customer paid.
    """
    receiver, product = _sold_by(provider)
    amount = {"amount": AMOUNT_CENTS, "currency": "710"}
    return {
        **REQUEST,
        "receiver": receiver,
        "amounts": {"requestAmount": amount},
        "tenders": [{"amount": amount, "tenderType": "CASH", "reference": "SLIP-000117"}],
        "product": {"productId": product},
    }


def _sold_by(provider: str) -> tuple[dict[str, str], str]:
    """Return receiver and product."""
    if provider == SANDBOX:
        return {"id": RECEIVER, "name": "MobiTalk"}, SANDBOX_PRODUCT
    for brand in SIMULATED_BRANDS:
        if brand.provider_id == provider:
            return {"id": brand.receiver.id, "name": brand.receiver.name}, _product_of(brand)
    raise BenchError(f"there is no simulated provider {provider!r}; there are {', '.join(PROVIDERS)}")


def _product_of(brand: SimulatedBrand) -> str:
    """Return the brand's first product of exactly the amount, or else its first that takes any amount up to it."""
    for sold in brand.products:
        if sold.value == AMOUNT_CENTS:
            return sold.id
    for sold in brand.products:
        if not isinstance(sold.value, int) and sold.value[0] <= AMOUNT_CENTS <= sold.value[1]:
            return sold.id
    raise BenchError(f"{brand.provider_id} sells nothing at {AMOUNT_CENTS} cents")
