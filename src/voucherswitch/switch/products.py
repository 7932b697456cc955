"""Product lookup: the catalogue kept for an originator (P1, P2). Called by interface/products.py."""

from collections.abc import Sequence

from voucherswitch.catalogue.snapshot import Catalogue, Originator, Product
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.refusals import Refusal, Refused
from voucherswitch.switch.routing import refuse

NOT_ENABLED = refuse(
    400, ErrorType.FUNCTION_NOT_SUPPORTED, "Service not enabled.", "Product lookup is not enabled for this originator."
)
NO_CATALOGUE = Refusal(
    "P2", 501, ErrorType.FUNCTION_NOT_SUPPORTED, "No catalogue.", "The originator keeps its own catalogue."
)


def products(originator: Originator, catalogue: Catalogue, channel: str | None) -> Sequence[Product]:
    """The products this originator may sell and that can be routed, in the catalogue's order.

    Raises:
        Refused: the service is not enabled, or no catalogue is kept for this originator.
    """
    if not originator.product_lookup:
        raise Refused(NOT_ENABLED)
    if not originator.catalogue_kept:
        raise Refused(NO_CATALOGUE)
    return [
        product
        for product in catalogue.products.values()
        if product.enabled
        and product.listed
        and originator.entitled(product.receiver_id)
        and _routed(product, catalogue)
        and (channel is None or any(listing.channel_name == channel for listing in product.channels))
    ]


def _routed(product: Product, catalogue: Catalogue) -> bool:
    return any(route.enabled for route in catalogue.routes.get((product.receiver_id, product.id), ()))
