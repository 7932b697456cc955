"""Leave to ask a provider, taken before anything is written: without it the answer is 503, certainly not processed."""

from collections.abc import Iterator

from msgspec import Struct

from voucherswitch.config.limits import RETRY_AFTER_S
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.refusals import Detail, Refusal, Refused
from voucherswitch.providers.gate import Shut, Ticket
from voucherswitch.providers.pool import Place, ProviderBusyError
from voucherswitch.switch.deps import Deps
from voucherswitch.switch.routing import Candidate

NOT_ASKED = Refusal(
    rule="§5.1",
    status=503,
    error_type=ErrorType.UPSTREAM_UNAVAILABLE,
    message="Provider not reached.",
    explanation="It is not asked at present. Nothing was processed; try again.",
)

NONE_LEFT = Shut("no route is left", RETRY_AFTER_S)


class Way(Struct, frozen=True):
    """A candidate that may be asked: with one of its provider's places, and the leave to make one call."""

    candidate: Candidate
    place: Place
    ticket: Ticket

    async def give_back(self) -> None:
        """It is not asked after all."""
        self.place.release()
        await self.ticket.give_back()


def refuse_shut(deps: Deps, provider_id: str) -> None:
    """Refuse at once what a later `enter` would refuse.

    Raises:
        Refused: 503, the provider is in maintenance or passed over.
    """
    shut = deps.gate.shut(provider_id)
    if shut is not None:
        raise not_asked(shut)


async def enter(deps: Deps, provider_id: str, until_s: float) -> Ticket:
    """Leave for one call that ends by then.

    Raises:
        Refused: 503, the provider is in maintenance or passed over.
    """
    entered = await deps.gate.enter(provider_id, until_s)
    if isinstance(entered, Shut):
        raise not_asked(entered)
    return entered


async def next_way(candidates: Iterator[Candidate], deps: Deps, until_s: float) -> Way | Refused | ProviderBusyError:
    """The first of the remaining candidates that may be asked; else what keeps the last of them from it, to raise."""
    kept: Refused | ProviderBusyError | None = None
    for candidate in candidates:
        provider_id = candidate.route.provider_id
        try:
            place = deps.providers.reserve(provider_id)
        except ProviderBusyError as error:
            kept = error
            continue
        entered: Ticket | Shut | None = None
        try:
            entered = await deps.gate.enter(provider_id, until_s)
        finally:
            if not isinstance(entered, Ticket):
                place.release()
        if isinstance(entered, Ticket):
            return Way(candidate, place, entered)
        kept = not_asked(entered)
    return kept or not_asked(NONE_LEFT)


def not_asked(shut: Shut) -> Refused:
    """503 with the time after which to try again. Why it is shut is the operators' business, not the originator's."""
    return Refused(NOT_ASKED, Detail(retry_after_s=shut.retry_after_s))
