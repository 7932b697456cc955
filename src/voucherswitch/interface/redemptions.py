"""The redemption operations: redeem, confirm, reverse, lookup (interface.md §1, 6-9)."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from voucherswitch.interface.advices import advice_endpoint
from voucherswitch.interface.decode import FormatErrors, check_uuid, decode
from voucherswitch.interface.endpoint import Incoming, Message, run, serve
from voucherswitch.interface.identity import wrong_client
from voucherswitch.interface.models import BasicAdvice, BasicReversal, RedemptionRequest
from voucherswitch.interface.rendering import LookupRenderer, TransactionRenderer
from voucherswitch.interface.translate import redemption_response, to_redemption
from voucherswitch.message.states import AdviceKind, Kind
from voucherswitch.security.masking import masked
from voucherswitch.security.oauth.scopes import Scope
from voucherswitch.switch.exchange import Reply
from voucherswitch.switch.lookup import lookup_redemption
from voucherswitch.switch.redeem import redeem


async def redeem_voucher(request: Request) -> Response:
    """Operation 6, redeemVoucher."""
    return await serve(request, _redeem, Scope.REDEEM)


async def _redeem(incoming: Incoming) -> Reply:
    message = decode(incoming.body, RedemptionRequest, incoming.originator.tolerated_fields)
    if (wrong := wrong_client(incoming.originator, message.client, message.id)) is not None:
        return wrong
    deps = incoming.request.app.state.services.deps
    described = Message(
        operation="redeemVoucher",
        id=message.id,
        masked=masked(message),
        renderer=TransactionRenderer(message, redemption_response),
        kind=Kind.REDEMPTION,
    )
    return await run(incoming, described, lambda exchange: redeem(to_redemption(message), exchange, deps))


confirm_redeem = advice_endpoint("confirmRedeem", BasicAdvice, AdviceKind.CONFIRMATION, Kind.REDEMPTION)
reverse_redeem = advice_endpoint("reverseRedeem", BasicReversal, AdviceKind.REVERSAL, Kind.REDEMPTION)


async def lookup_redemption_endpoint(request: Request) -> Response:
    """Operation 9, lookupRedemption."""
    return await serve(request, _lookup, Scope.REDEEM)


async def _lookup(incoming: Incoming) -> Reply:
    request_id = incoming.request.path_params["request_id"]
    if violations := check_uuid("requestId", request_id):
        raise FormatErrors(violations)
    deps = incoming.request.app.state.services.deps
    message = Message(
        operation="lookupRedemption",
        id=request_id,
        masked=f'{{"requestId":"{request_id}"}}',
        renderer=LookupRenderer(request_id, RedemptionRequest, redemption_response),
    )
    return await run(incoming, message, lambda exchange: lookup_redemption(UUID(request_id), exchange, deps))
