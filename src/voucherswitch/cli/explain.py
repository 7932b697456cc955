"""`voucherswitch explain`: what happened to a request, from the journal alone, in words."""

import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final
from uuid import UUID

import typer

from voucherswitch.cli.amounts import rand
from voucherswitch.cli.context import with_database
from voucherswitch.cli.errors import NOT_FOUND, CommandError
from voucherswitch.cli.output import JsonFlag, lasting, plain, print_json, print_styled, print_table, when

if TYPE_CHECKING:
    import asyncpg

    from voucherswitch.cli.explain_words import Event
    from voucherswitch.config.settings import Settings
    from voucherswitch.journal.reports import Story, Unresolved

_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_REFERENCE: Final = re.compile(r"VSW-?0*(?P<number>\d{1,18})", re.IGNORECASE)


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(explain)


def explain(
    identifier: Annotated[
        str | None,
        typer.Argument(
            metavar="[ID]",
            help="Id of a request or advice, a VSW-… reference, a voucher's serial number or code.",
            show_default=False,
        ),
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Show every message too, masked as it was stored.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Without an ID: list at most so many.")] = 1_000,
    as_json: JsonFlag = False,
) -> None:
    """Say in words what happened to a request, and what is open.

    What came, what was sent, what was answered, what is still owed; from the journal alone. Without an ID it lists
    everything unresolved: requests whose outcome nobody knows, advices that a provider refused, and money at risk
    because a provider takes no reversals. Exit code 3: the journal knows nothing by that name.

    \b
    Examples:
      voucherswitch explain
      voucherswitch explain VSW-000000000001
      voucherswitch explain 04c6284a-930e-444f-982e-37e931b8daf3 --full
    """
    if identifier is None:
        _print_unresolved(*with_database(lambda connection, _: _unresolved(connection, limit)), as_json=as_json)
        return
    wanted = identifier.strip()
    now, story = with_database(lambda connection, settings: _story(connection, settings, wanted))
    ids = list(dict.fromkeys([*(record.request_id for record in story.records), *_unrecorded(story)]))
    if not ids:
        raise CommandError(
            f"{wanted}: the journal knows no request, advice, reference or voucher by that name", NOT_FOUND
        )
    if as_json:
        print_json([_described(story, request_id, now, full=full) for request_id in ids])
        return
    for request_id in ids:
        _print_request(story, request_id, now, full=full)
    if story.cut:
        print("There are more messages than are shown.")


async def _story(connection: "asyncpg.Connection", settings: "Settings", wanted: str) -> "tuple[datetime, Story]":
    from voucherswitch.journal import reports
    from voucherswitch.journal.archive import find as archive

    ids: list[UUID] = []
    if _UUID.fullmatch(wanted):
        ids = await reports.requests_of_id(connection, UUID(wanted))
    elif reference := _REFERENCE.fullmatch(wanted):
        ids = await reports.requests_of_reference(connection, int(reference["number"]))
    if not ids:
        fingerprint = _fingerprint(settings, wanted)
        ids = await reports.requests_of_voucher(connection, wanted, fingerprint)
        if not ids:
            ids = await archive.requests_of_voucher(connection, settings.archive_path, wanted, fingerprint)
    now = await connection.fetchval("SELECT clock_timestamp()")
    return now, await archive.completed(connection, settings.archive_path, await reports.story(connection, ids))


def _fingerprint(settings: "Settings", code: str) -> bytes | None:
    """By which the journal finds a voucher's code; None where this machine has no vault key to make it with."""
    from voucherswitch.security.key_source import FileKeys, source_of
    from voucherswitch.security.vault import Vault

    source = source_of(settings)
    if isinstance(source, FileKeys) and not source.path.is_file():
        return None
    return Vault(source.read()).fingerprint(code)


async def _unresolved(connection: "asyncpg.Connection", limit: int) -> "tuple[datetime, Unresolved]":
    from voucherswitch.journal import reports

    now = await connection.fetchval("SELECT clock_timestamp()")
    return now, await reports.unresolved(connection, limit)


def _unrecorded(story: "Story") -> Sequence[UUID]:
    """Requests that left messages or refusals and no record."""
    return [*(leg.request_id for leg in story.legs), *(refusal.request_id for refusal in story.refusals)]


def _described(story: "Story", request_id: UUID, now: datetime, *, full: bool) -> dict[str, Any]:
    """One request for scripts."""
    from voucherswitch.cli import explain_words as words

    records = [record for record in story.records if record.request_id == request_id]
    advices = [advice for advice in story.advices if advice.request_id == request_id]
    meanings = [words.meaning(record) for record in records]
    return {
        "request_id": str(request_id),
        "unresolved": any(item.unresolved for item in meanings),
        "records": [plain(record) | plain(item) for record, item in zip(records, meanings, strict=True)],
        "refusals": [plain(item) for item in story.refusals if item.request_id == request_id],
        "advices": [plain(item) | {"text": words.advice_text(item, now)} for item in advices],
        "owed": [str(item.advice_id) for item in words.owed(advices)],
        "timeline": [_event(event, full=full) for event in words.timeline(story, request_id)],
    }


def _event(event: "Event", *, full: bool) -> dict[str, Any]:
    described = {"at": plain(event.at), "where": event.where, "text": event.text}
    if event.leg is not None:
        described |= {"duration_us": event.leg.duration_us, "status": event.leg.status}
        if full:
            described |= {"request": _message(event.leg.request), "response": _message(event.leg.response)}
    return described


def _message(text: str | None) -> Any:
    """A stored message: as JSON where it is JSON, else as text."""
    try:
        return json.loads(text) if text else text
    except ValueError:
        return text


def _print_request(story: "Story", request_id: UUID, now: datetime, *, full: bool) -> None:
    from rich.text import Text

    from voucherswitch.cli import explain_words as words

    records = [record for record in story.records if record.request_id == request_id]
    advices = [advice for advice in story.advices if advice.request_id == request_id]
    for record in records:
        told = f"  {record.reference}" if record.has_request else ""
        again = f"  generation {record.generation}" if record.generation else ""
        print_styled(Text(f"{record.kind.name} {request_id}{told}{again}", "bold"))
        print(f"  {words.summary(record)}")
        state = words.meaning(record)
        print_styled(Text(f"  {state.text}", "bold red" if state.unresolved else "bold green"))
        if record.archived_in is not None:
            print(f"  Archived in batch {record.archived_in}: read from there. Its messages are not kept any more.")
        for line in (state.next, None if record.alert is None else f"Alert: {record.alert}."):
            if line is not None:
                print(f"  {line}")
    if not records:
        print_styled(Text(f"REQUEST {request_id}", "bold"))
        print("  No record was made of it.")
    for advice in advices:
        print(f"  {words.advice_text(advice, now)}.")
    owed = words.owed(advices)
    print(f"  Still owed to the provider: {f'{len(owed)}, see above' if owed else 'nothing'}.")
    print()
    _print_timeline(words.timeline(story, request_id), full=full)


def _print_timeline(events: "Sequence[Event]", *, full: bool) -> None:
    if not full:
        first = events[0].at if events else None
        rows = [
            (
                when(event.at),
                f"+{lasting((event.at - first).total_seconds())}" if first else "",
                event.where,
                event.text,
            )
            for event in events
        ]
        print_table(("Time", ">After", "Between", "What"), rows, empty="  Nothing else is on record.")
        return
    for event in events:
        print(f"{when(event.at)}  {event.where}: {event.text}")
        if event.leg is not None:
            for arrow, text in (("→", event.leg.request), ("←", event.leg.response)):
                if text:
                    message = _message(text)
                    shown = text if isinstance(message, str) else json.dumps(message, indent=2, ensure_ascii=False)
                    print("\n".join(f"    {arrow} {line}" for line in shown.splitlines()))
    print()


def _print_unresolved(now: datetime, found: "Unresolved", *, as_json: bool) -> None:
    from voucherswitch.cli import explain_words as words

    over = [record for record in found.records if not record.call_running]
    running = [record for record in found.records if record.call_running]
    if as_json:
        print_json(
            {
                "unresolved": [plain(record) | plain(words.open_meaning(record)) for record in found.records],
                "parked_advices": [plain(item) | {"text": words.advice_text(item, now)} for item in found.parked],
                "money_at_risk": found.at_risk,
            }
        )
        return
    for title, records in (
        ("Unresolved requests", over),
        ("Unresolved so far: in work, the outcome may still come", running),
    ):
        if records:
            rows = [
                (record.request_id, record.kind, record.state.name, rand(record.amount_cents), record.originator_id,
                 record.provider_id, when(record.opened_at), lasting((now - record.opened_at).total_seconds()))
                for record in records
            ]  # fmt: skip
            print(f"{title}: {len(records)}")
            columns = ("Request", "Kind", "State", ">Amount", "Originator", "Provider", "Since", ">Age")
            print_table(columns, rows, empty="")
    if found.parked:
        print(f"Parked advices: {len(found.parked)}")
        parked = [
            (item.advice_id, item.kind, item.provider_id, item.request_id, item.last_error) for item in found.parked
        ]
        print_table(("Advice", "Kind", "Provider", "Request", "Why"), parked, empty="")
    if found.at_risk:
        print(f"Money at risk, reversed here and not at the provider, which takes no reversals: {len(found.at_risk)}")
        risks = [
            (item.request_id, item.kind, rand(item.amount_cents), item.provider_id, item.voucher_serial,
             when(item.since))
            for item in found.at_risk
        ]  # fmt: skip
        print_table(("Request", "Kind", ">Amount", "Provider", "Serial", "Since"), risks, empty="")
    if not found.records and not found.parked and not found.at_risk:
        print("Nothing is unresolved: every outcome is known, no advice is parked, and no money is at risk.")
    else:
        print("More about one of them: voucherswitch explain ID")
