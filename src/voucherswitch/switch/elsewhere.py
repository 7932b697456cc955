"""Vouchers that were not sold through this switch (O9): accepted only where a provider's contract allows it."""

from voucherswitch.catalogue.snapshot import Originator, Route
from voucherswitch.journal.records import VoucherRecord
from voucherswitch.message.parties import Institution
from voucherswitch.switch.deps import Deps


async def adopt(code: str, receiver: Institution | None, originator: Originator, deps: Deps) -> list[VoucherRecord]:
    """Take in a code that we do not know, if its receiver's provider redeems vouchers sold elsewhere; else none.

    From then on it is a voucher like our own: one open movement at a time, its states, its advices in order. Whether it
    exists at all only the provider can say. A code that we sold is not taken while it is unconfirmed or once reversed.
    """
    if receiver is None or not originator.entitled(receiver.id):
        return []
    route = foreign_route(receiver.id, deps)
    if route is None:
        return []
    if any(record.receiver_id == receiver.id for record in await deps.journal.provisions_of_code(code)):
        return []
    await deps.journal.adopt_voucher(code, receiver.id, route.provider_id, route.provider_product)
    return await deps.journal.read_vouchers(code)


def foreign_route(receiver_id: str, deps: Deps) -> Route | None:
    """The receiver's first route whose provider redeems vouchers sold elsewhere."""
    able = [
        route
        for (receiver, _), routes in deps.snapshot.routes.items()
        if receiver == receiver_id
        for route in routes
        if route.enabled and _redeems_foreign(route.provider_id, deps)
    ]
    return min(able, key=lambda route: (route.priority, route.id), default=None)


def _redeems_foreign(provider_id: str, deps: Deps) -> bool:
    provider, can = deps.snapshot.providers.get(provider_id), deps.providers.capabilities.get(provider_id)
    return provider is not None and provider.enabled and can is not None and can.foreign_vouchers and can.redeem.sends
