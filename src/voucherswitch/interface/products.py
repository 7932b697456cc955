"""Product lookup (interface.md §1, 13)."""

from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response

from voucherswitch.interface.decode import products_lookup_query
from voucherswitch.interface.endpoint import Incoming, serve
from voucherswitch.interface.errors import render
from voucherswitch.interface.models import ProductsLookupResponse
from voucherswitch.interface.rendering import rendered
from voucherswitch.interface.translate import wire_product
from voucherswitch.message.refusals import RecordedRefusal, Refused
from voucherswitch.security.oauth.scopes import Scope
from voucherswitch.switch.exchange import Reply
from voucherswitch.switch.products import products


async def lookup_products(request: Request) -> Response:
    """Operation 13, lookupProducts. Answered from memory: no message leaves and nothing is recorded."""
    return await serve(request, _products, Scope.PRODUCTS)


async def _products(incoming: Incoming) -> Reply:
    incoming.request.app.state.services.admission.product_lookup(incoming.originator.id)
    query = products_lookup_query(incoming.request.query_params.multi_items())
    catalogue = incoming.request.app.state.services.deps.snapshot
    try:
        found = products(incoming.originator, catalogue, query.channel_name)
    except Refused as refused:
        return render(RecordedRefusal(refused.refusal, refused.detail), str(uuid4()))
    return rendered(200, ProductsLookupResponse(products=tuple(wire_product(product, catalogue) for product in found)))
