"""The refund operations: refund, confirm, reverse (interface.md §1, 10-12)."""

from starlette.requests import Request
from starlette.responses import Response

from voucherswitch.interface.advices import advice_endpoint
from voucherswitch.interface.decode import decode
from voucherswitch.interface.endpoint import Incoming, Message, run, serve
from voucherswitch.interface.identity import wrong_client
from voucherswitch.interface.models import BasicAdvice, BasicReversal, RefundRequest
from voucherswitch.interface.rendering import TransactionRenderer
from voucherswitch.interface.translate import refund_response, to_refund
from voucherswitch.message.states import AdviceKind, Kind
from voucherswitch.security.masking import masked
from voucherswitch.security.oauth.scopes import Scope
from voucherswitch.switch.exchange import Reply
from voucherswitch.switch.refund import refund


async def refund_voucher(request: Request) -> Response:
    """Operation 10, refundVoucher."""
    return await serve(request, _refund, Scope.REFUND)


async def _refund(incoming: Incoming) -> Reply:
    message = decode(incoming.body, RefundRequest, incoming.originator.tolerated_fields)
    if (wrong := wrong_client(incoming.originator, message.client, message.id)) is not None:
        return wrong
    deps = incoming.request.app.state.services.deps
    described = Message(
        operation="refundVoucher",
        id=message.id,
        masked=masked(message),
        renderer=TransactionRenderer(message, refund_response),
        kind=Kind.REFUND,
    )
    return await run(incoming, described, lambda exchange: refund(to_refund(message), exchange, deps))


confirm_refund = advice_endpoint("confirmRefund", BasicAdvice, AdviceKind.CONFIRMATION, Kind.REFUND)
reverse_refund = advice_endpoint("reverseRefund", BasicReversal, AdviceKind.REVERSAL, Kind.REFUND)
