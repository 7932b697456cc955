"""The six advices: they differ in their model and in what they are about, in nothing else (interface.md §1)."""

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from voucherswitch.interface.decode import decode
from voucherswitch.interface.endpoint import Incoming, Message, run, serve
from voucherswitch.interface.models import BasicAdvice
from voucherswitch.interface.rendering import AdviceRenderer
from voucherswitch.interface.translate import to_advice
from voucherswitch.message.states import AdviceKind, Kind
from voucherswitch.security.masking import masked
from voucherswitch.security.oauth.scopes import Scope
from voucherswitch.switch.advise import advise
from voucherswitch.switch.exchange import Reply

_SCOPES: Final = {Kind.PROVISION: Scope.PROVISION, Kind.REDEMPTION: Scope.REDEEM, Kind.REFUND: Scope.REFUND}


def advice_endpoint(
    operation: str, model: type[BasicAdvice], kind: AdviceKind, request_kind: Kind
) -> Callable[[Request], Awaitable[Response]]:
    """Make the endpoint of one advice."""

    async def work(incoming: Incoming) -> Reply:
        advice = decode(incoming.body, model, incoming.originator.tolerated_fields)
        deps = incoming.request.app.state.services.deps
        message = Message(
            operation=operation,
            id=advice.id,
            masked=masked(advice),
            renderer=AdviceRenderer(advice, advice.id),
            advice=True,
        )
        return await run(
            incoming, message, lambda exchange: advise(to_advice(advice, kind, request_kind), exchange, deps)
        )

    async def endpoint(request: Request) -> Response:
        return await serve(request, work, _SCOPES[request_kind])

    endpoint.__name__ = operation
    return endpoint
