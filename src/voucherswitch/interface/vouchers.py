"""The voucher operations: provision, retry, confirm, reverse, lookup (interface.md §1, 1-5)."""

from uuid import UUID, uuid4

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from voucherswitch.interface.advices import advice_endpoint
from voucherswitch.interface.decode import (
    FormatErrors,
    decode,
    decode_retry,
    same_request,
    voucher_lookup_query,
)
from voucherswitch.interface.endpoint import RETRY_AGAIN, Incoming, Message, run, serve
from voucherswitch.interface.identity import wrong_client
from voucherswitch.interface.models import BasicReversal, ProvisionRequest, ProvisionResponse, TenderAdvice
from voucherswitch.interface.rendering import LookupRenderer, TransactionRenderer, rendered
from voucherswitch.interface.translate import provision_response, to_provision, voucher_lookup_response
from voucherswitch.message.states import AdviceKind, Kind
from voucherswitch.security.masking import masked
from voucherswitch.security.oauth.scopes import Scope
from voucherswitch.switch.exchange import Exchange, Reply
from voucherswitch.switch.lookup import VoucherQuery, lookup_voucher
from voucherswitch.switch.provision import provision
from voucherswitch.switch.retry import retry


async def provision_voucher(request: Request) -> Response:
    """Operation 1, provisionVoucher."""
    return await serve(request, _provision, Scope.PROVISION)


async def _provision(incoming: Incoming) -> Reply:
    message = decode(incoming.body, ProvisionRequest, incoming.originator.tolerated_fields)
    if (wrong := wrong_client(incoming.originator, message.client, message.id)) is not None:
        return wrong
    deps = incoming.request.app.state.services.deps
    return await run(
        incoming,
        _described("provisionVoucher", message),
        lambda exchange: provision(to_provision(message), exchange, deps),
    )


async def retry_provision_voucher(request: Request) -> Response:
    """Operation 2, retryProvisionVoucher."""
    return await serve(request, _retry, Scope.PROVISION, RETRY_AGAIN)


async def _retry(incoming: Incoming) -> Reply:
    provision_id = incoming.request.path_params["provision_id"]
    message = decode_retry(incoming.body, provision_id, incoming.originator.tolerated_fields)
    if (wrong := wrong_client(incoming.originator, message.client, message.id)) is not None:
        return wrong
    deps = incoming.request.app.state.services.deps

    def same(original: bytes) -> None:
        if violations := same_request(msgspec.json.decode(original, type=ProvisionRequest), message):
            raise FormatErrors(violations, message.id)

    return await run(
        incoming,
        _described("retryProvisionVoucher", message),
        lambda exchange: retry(to_provision(message), same, exchange, deps),
    )


def _described(operation: str, message: ProvisionRequest) -> Message:
    return Message(
        operation=operation,
        id=message.id,
        masked=masked(message),
        renderer=TransactionRenderer(message, provision_response),
        kind=Kind.PROVISION,
    )


confirm_voucher = advice_endpoint("confirmVoucher", TenderAdvice, AdviceKind.CONFIRMATION, Kind.PROVISION)
reverse_voucher = advice_endpoint("reverseVoucher", BasicReversal, AdviceKind.REVERSAL, Kind.PROVISION)


async def lookup_voucher_endpoint(request: Request) -> Response:
    """Operation 5, lookupVoucher."""
    return await serve(request, _lookup, Scope.LOOKUP)


async def _lookup(incoming: Incoming) -> Reply:
    query = voucher_lookup_query(incoming.request.query_params.multi_items())
    deps = incoming.request.app.state.services.deps
    message_id = query.provision_request_id or str(uuid4())  # L4
    wish = VoucherQuery(
        voucher_code=query.voucher_code,
        provision_id=None if query.provision_request_id is None else UUID(query.provision_request_id),
        serial_number=query.voucher_serial_number,
        receiver_id=query.receiver_inst_id,
    )

    async def flow(exchange: Exchange) -> Reply:
        found = await lookup_voucher(wish, exchange, deps)
        reply = rendered(200, voucher_lookup_response(found))
        await deps.journal.record_legs(exchange.message_id, 0, exchange.legs(reply))
        return reply

    message = Message(
        operation="lookupVoucher",
        id=message_id,
        masked=masked(query),
        renderer=LookupRenderer(message_id, ProvisionRequest, _no_answer),
    )
    return await run(incoming, message, flow)


def _no_answer(_request: ProvisionRequest, _answer: object) -> ProvisionResponse:
    raise TypeError("a voucher lookup repeats no answer")
