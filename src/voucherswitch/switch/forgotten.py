"""Requests that a restored journal may have forgotten (docs/operations/backup.md).

The journal was restored to a moment in the past: what came after it is known to providers and originators, and not to
us. Until an operator says that this is settled, nobody is told of an unknown id that it never was, and a retry of one
is asked about instead of sold.
"""

from datetime import datetime

from msgspec.structs import replace

from voucherswitch.catalogue.snapshot import Restoration
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.orders import ProvisionOrder
from voucherswitch.message.refusals import Refusal, Refused
from voucherswitch.switch.clock import utc_now
from voucherswitch.switch.deps import Deps
from voucherswitch.switch.provision import make_order
from voucherswitch.switch.requests import Provision
from voucherswitch.switch.routing import Candidate, Plan

FORGOTTEN = Refusal(
    rule="T1",
    status=504,
    error_type=ErrorType.VOUCHER_STATUS_UNKNOWN,
    message="Outcome not known: the records are being restored.",
    explanation="Repeat later, or reverse it.",
)


def only_provider(chosen: Plan, deps: Deps) -> Candidate:
    """The provider that a forgotten provision must have gone to, if it went anywhere.

    Raises:
        Refused: several could have had it, whatever their state now, or it takes no retries: nobody can tell.
    """
    product_id = None if chosen.product is None else chosen.product.id
    routes = deps.snapshot.routes.get((chosen.brand.receiver.id, product_id), ())
    candidate = chosen.candidates[0]
    can = deps.providers.capabilities.get(candidate.route.provider_id)
    if {route.provider_id for route in routes} != {candidate.route.provider_id} or can is None or not can.retry.sends:
        raise Refused(FORGOTTEN)
    return candidate


def forgotten_order(request: Provision, candidate: Candidate, gap: Restoration) -> ProvisionOrder:
    """The request as a retry. It was sent at the beginning of the gap at the earliest, at its end at the latest."""
    return replace(
        make_order(request, candidate),
        sent_ms_ago=_ms_since(gap.restored_to),
        settled_ms_ago=_ms_since(gap.marked_at),
    )


def _ms_since(moment: datetime) -> int:
    return int((utc_now() - moment).total_seconds() * 1000)
