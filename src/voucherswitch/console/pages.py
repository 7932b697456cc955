"""The pages: each reads one snapshot of the journal, then renders it after the connection is given back."""

from collections.abc import Sequence
from datetime import UTC, datetime, time
from typing import Any, Final, TypeAlias
from uuid import UUID

import msgspec
from msgspec import Struct
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from voucherswitch.config.limits import INVARIANT_STALE_S
from voucherswitch.console import charts, listing, queries, words
from voucherswitch.console.reader import Reader, if_quick
from voucherswitch.console.rendering import Pages
from voucherswitch.console.rows import Advice, Backlog, Count, Leg, Provider, Transaction
from voucherswitch.journal.invariant_watch import last_check
from voucherswitch.journal.invariants import NAMED
from voucherswitch.journal.reports import requests_of_id
from voucherswitch.message.states import AdviceState, State

Json: TypeAlias = dict[str, Any]

_APPROVED: Final = (State.APPROVED, State.CONFIRMED)

# What a recorded refusal may show. Its details can hold a voucher, so nothing is shown that is not named here.
_SHOWN_OF_REFUSAL: Final = ("rule", "status", "error_type", "message", "explanation")
_SHOWN_OF_DETAIL: Final = ("provider_code", "provider_message", "field", "original_id")


class ProviderLine(Struct, frozen=True):
    """A provider on the overview: as configured, what it did in the last hour, what it is owed."""

    provider_id: str
    configured: Provider | None
    asked: int
    approved: int
    declined: int
    open: int
    owed: Backlog | None


class Generation(Struct, frozen=True):
    """One use of a request's id, with its messages. `transaction` None: messages that made no record."""

    number: int
    transaction: Transaction | None
    why: list[str]
    error: dict[str, object]
    refs: Json
    episodes: list[charts.Episode]
    advices: list[tuple[Advice, list[Leg]]]


class Queue(Struct, frozen=True):
    """What one provider is owed, the oldest advices of it one by one."""

    provider_id: str | None
    configured: Provider | None
    owed: Backlog
    parked: list[Advice]
    queued: list[Advice]


async def overview(request: Request) -> Response:
    """`/`: is it healthy, is money safe."""
    reader, pages = _parts(request)
    async with reader.snapshot() as connection:
        now = await queries.moment(connection)
        midnight = datetime.combine(now.date(), time.min, UTC)
        unresolved = await queries.unresolved(connection)
        at_risk = await queries.at_risk(connection)
        providers = await queries.providers(connection)
        backlog = await queries.backlog(connection)
        invariants = await last_check(connection)
        counts = await if_quick(connection, lambda: queries.last_hour(connection))
        today = await if_quick(connection, lambda: queries.by_state(connection, midnight))
    return pages.render(
        "overview.html",
        now=now,
        chart=None if counts is None else charts.last_hour(counts, now),
        series=charts.SERIES,
        today=None if today is None else [(state, today.get(state, 0)) for state in State],
        unresolved=unresolved,
        at_risk=at_risk,
        unresolved_max=queries.UNRESOLVED_MAX,
        checked_at=invariants.finished_at,
        unchecked=invariants.age_s is None or abs(invariants.age_s) > INVARIANT_STALE_S,
        broken=[(NAMED[one.name], one) for one in invariants.broken if one.name in NAMED],
        providers=provider_lines(providers, counts or [], backlog),
        queued=sum(owed.queued for owed in backlog.values()),
        held=sum(owed.held for owed in backlog.values()),
        parked=sum(owed.parked for owed in backlog.values()),
        oldest_at=min((owed.oldest_at for owed in backlog.values() if owed.oldest_at), default=None),
    )


def provider_lines(
    providers: Sequence[Provider], counts: Sequence[Count], backlog: dict[str | None, Backlog]
) -> list[ProviderLine]:
    """One line for each provider that is configured, was asked within the hour, or is owed something."""
    configured = {provider.provider_id: provider for provider in providers}
    seen: dict[str, dict[int, int]] = {}
    for count in counts:
        if count.by_provider and count.provider_id is not None:
            seen.setdefault(count.provider_id, {})[count.state] = count.number
    owed_to = {provider_id for provider_id in backlog if provider_id is not None}
    return [
        ProviderLine(
            provider_id=provider_id,
            configured=configured.get(provider_id),
            asked=sum(states.values()),
            approved=sum(states.get(state, 0) for state in _APPROVED),
            declined=states.get(State.DECLINED, 0),
            open=states.get(State.UNKNOWN, 0) + states.get(State.PENDING, 0),
            owed=backlog.get(provider_id),
        )
        for provider_id in sorted(configured.keys() | seen.keys() | owed_to)
        for states in (seen.get(provider_id, {}),)
    ]


async def transactions(request: Request) -> Response:
    """`/transactions`: find one by anything that can be read out; a whole id goes straight to its page."""
    reader, pages = _parts(request)
    filters = listing.parse(request.query_params.multi_items())
    async with reader.snapshot() as connection:
        if filters.only_id is not None:
            found = await requests_of_id(connection, filters.only_id)
            if len(found) == 1:
                return RedirectResponse(f"/transactions/{found[0]}", 303)
        page = await listing.read(connection, filters)
    return pages.render(
        "transactions.html",
        filters=filters,
        page=page,
        states=listing.STATES,
        kinds=listing.KINDS,
        sizes=listing.SIZES,
    )


async def transaction(request: Request) -> Response:
    """`/transactions/{request_id}`: everything the journal knows of one id, and why it is as it is."""
    reader, pages = _parts(request)
    request_id: UUID = request.path_params["request_id"]
    async with reader.snapshot() as connection:
        now = await queries.moment(connection)
        records = await queries.transactions(connection, request_id)
        legs = await queries.legs(connection, request_id)
        refusals = await queries.refusals(connection, request_id)
        advices = await queries.advices(connection, request_id)
        related = await queries.related(connection, request_id)
        resolutions = await queries.resolutions(connection, request_id)
    if not records and not legs and not refusals:
        raise HTTPException(404, f"The journal holds nothing under the id {request_id}.")
    return pages.render(
        "transaction.html",
        request_id=request_id,
        now=now,
        generations=generations(records, legs[: queries.LEGS_MAX], advices, now),
        refusals=[(refusal, shown_of_refusal(refusal.error)) for refusal in refusals],
        related=related,
        resolutions=resolutions,
        legs_max=queries.LEGS_MAX,
        more_legs=len(legs) > queries.LEGS_MAX,
    )


def generations(
    records: Sequence[Transaction], legs: Sequence[Leg], advices: Sequence[Advice], now: datetime
) -> list[Generation]:
    """Each use of the id with its own messages, the newest first."""
    by_number = {record.generation: record for record in records}
    numbers = by_number.keys() | {leg.generation for leg in legs} | {advice.generation for advice in advices}
    found = []
    for number in sorted(numbers, reverse=True):
        record = by_number.get(number)
        own_legs = [leg for leg in legs if leg.generation == number]
        own_advices = [advice for advice in advices if advice.generation == number]
        found.append(
            Generation(
                number=number,
                transaction=record,
                why=[] if record is None else words.why(record, own_advices, own_legs, now),
                error={} if record is None or record.error is None else shown_of_refusal(record.error),
                refs={} if record is None or record.refs is None else _json(record.refs),
                episodes=charts.episodes(own_legs),
                advices=[
                    (advice, [leg for leg in own_legs if leg.advice_id == advice.advice_id and leg.direction == 2])
                    for advice in own_advices
                ],
            )
        )
    return found


def shown_of_refusal(text: str) -> dict[str, object]:
    """What may be seen of a recorded refusal, in a fixed order; anything else it holds stays in the journal."""
    recorded = _json(text)
    shown = []
    for part, names in (("refusal", _SHOWN_OF_REFUSAL), ("detail", _SHOWN_OF_DETAIL)):
        values = recorded.get(part)
        if isinstance(values, dict):
            shown += [(name, values[name]) for name in names if values.get(name) is not None]
    return dict(shown)


def _json(text: str) -> Json:
    value = msgspec.json.decode(text)
    return value if isinstance(value, dict) else {}


async def saf(request: Request) -> Response:
    """`/saf`: what must still be told, and what a person must decide."""
    reader, pages = _parts(request)
    async with reader.snapshot() as connection:
        now = await queries.moment(connection)
        providers = await queries.providers(connection)
        backlog = await queries.backlog(connection)
        owed = await queries.owed(connection, [provider_id for provider_id in backlog if provider_id is not None])
        at_risk = await queries.at_risk(connection)
        risks = await queries.risks(connection)
    return pages.render(
        "saf.html",
        now=now,
        queues=queues(providers, backlog, owed),
        at_risk=at_risk,
        risks=risks,
        shown_max=queries.ADVICES_SHOWN_MAX,
    )


def queues(providers: Sequence[Provider], backlog: dict[str | None, Backlog], owed: Sequence[Advice]) -> list[Queue]:
    """One queue for each provider that is configured or owed something: those with parked advices first."""
    configured = {provider.provider_id: provider for provider in providers}
    nothing = Backlog(provider_id=None, queued=0, held=0, oldest_at=None, parked=0)
    found = [
        Queue(
            provider_id=provider_id,
            configured=configured.get(provider_id or ""),
            owed=backlog.get(provider_id, nothing),
            parked=[a for a in owed if a.provider_id == provider_id and a.state == AdviceState.PARKED],
            queued=[a for a in owed if a.provider_id == provider_id and a.state == AdviceState.QUEUED],
        )
        for provider_id in configured.keys() | backlog.keys()
    ]
    return sorted(found, key=lambda queue: (not queue.owed.parked, not queue.owed.queued, queue.provider_id or ""))


def _parts(request: Request) -> tuple[Reader, Pages]:
    return request.app.state.reader, request.app.state.pages
