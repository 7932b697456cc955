"""What must hold when everything has drained: four books agree, and what is open is listed."""

from typing import Final

import asyncpg

from simulation.providers import Deed, Entry, Provider
from simulation.tills import Tills
from simulation.world import DUAL, World
from voucherswitch.journal import invariants
from voucherswitch.journal.statements import SQL
from voucherswitch.message.states import AdviceKind, AdviceState, State

RECORDS: Final = "SELECT * FROM transaction"
INVARIANTS_EVERY: Final = 20  # worlds: asking for the journal's own invariants takes as long as a world
ADVICES: Final = "SELECT * FROM advice ORDER BY seq"


def check(world: World, tills: Tills) -> None:
    """Report everything that does not hold to the world."""
    records = {str(row["request_id"]): row for row in world.database.look(RECORDS)}
    advices = world.database.look(ADVICES)
    open_ids = {str(row["request_id"]) for row in world.database.look(SQL["report_open_records"], 100_000)}
    for provider in world.providers.values():
        for entry in provider.entries.values():
            _check_book(world, provider, entry, records.get(entry.request_id), advices)
    for request_id, record in records.items():
        if record["state"] in (State.PENDING, State.UNKNOWN) and request_id not in open_ids:
            world.broken(f"{request_id} is open and nobody lists it")
        if record["state"] in (State.PENDING, State.UNKNOWN) and world.resolvable(
            record["kind"], record["single"], record["provider_id"]
        ):
            world.broken(f"{request_id} stays {State(record['state']).name}, and its provider could tell or undo it")
        if record["state"] in (State.APPROVED, State.CONFIRMED):
            book = world.providers[record["provider_id"]].entries.get(request_id)
            if book is None or not book.stands:
                world.broken(f"{request_id} is {State(record['state']).name} and its provider did not do it")
    for advice in advices:
        if advice["state"] == AdviceState.QUEUED:
            world.broken(f"advice {advice['advice_id']} of {advice['request_id']} is never delivered")
        if advice["state"] == AdviceState.PARKED:
            world.broken(f"advice {advice['advice_id']} of {advice['request_id']} was refused: {advice['last_error']}")
    if world.seed % INVARIANTS_EVERY == 0:
        for finding in world.database.with_connection(invariants.check):
            world.broken(f"invariant {finding.name}: {finding.rows[0].found} ({finding.rows[0].key})")
    _check_told(world, tills, records, {str(row["advice_id"]): row for row in advices})


def _check_book(
    world: World, provider: Provider, entry: Entry, record: asyncpg.Record | None, advices: list[asyncpg.Record]
) -> None:
    """What a provider did and what the journal says of it."""
    name = f"{entry.what} {entry.request_id}: {provider.name} says {entry.deed.name}, the journal "
    if record is None:
        world.broken(name + "does not know it")
        return
    state = State(record["state"])
    if record["provider_id"] != provider.name and entry.stands:
        world.broken(name + f"says that {record['provider_id']} was asked")
    own = [row for row in advices if str(row["request_id"]) == entry.request_id]

    def settled(kind: AdviceKind) -> set[AdviceState]:
        return {AdviceState(row["state"]) for row in own if row["kind"] == kind} - {AdviceState.REDUNDANT}

    match entry.deed:
        case Deed.DONE:
            told = settled(AdviceKind.CONFIRMATION if state is State.CONFIRMED else AdviceKind.REVERSAL)
            if state is State.DECLINED or (
                state in (State.CONFIRMED, State.REVERSED) and AdviceState.CONSUMED not in told
            ):
                world.broken(name + f"says {state.name}, and the provider was told {sorted(told)}")
        case Deed.CONFIRMED:
            if state is not State.CONFIRMED:
                world.broken(name + f"says {state.name}")
        case Deed.REVERSED:
            if state is not State.REVERSED:
                world.broken(name + f"says {state.name}")


def _check_told(
    world: World, tills: Tills, records: dict[str, asyncpg.Record], advices: dict[str, asyncpg.Record]
) -> None:
    """What tills heard is what the journal holds."""
    codes: dict[str, str] = {}
    for told in tills.told:
        record, status = records.get(told.about), told.answer.status
        state = None if record is None else State(record["state"])
        advised = told.path.rpartition("/")[2]
        if advised in ("confirmations", "reversals"):
            dual = record is not None and record["originator_id"] == DUAL
            if status == 202 and told.message_id not in advices:
                world.broken(f"{told.path} {told.message_id} was acknowledged and is not on record")
            if status == 202 and advised == "reversals" and state is not State.REVERSED:
                world.broken(f"the reversal of {told.about} was acknowledged, and it is {state and state.name}")
            if status == 202 and advised == "confirmations" and dual and state is not State.CONFIRMED:
                world.broken(f"the confirmation of {told.about} was acknowledged, and it is {state and state.name}")
            if status == 404 and advised == "reversals" and (record is None or record["reversal_id"] is None):
                world.broken(f"the reversal of {told.about} was answered 404 and is not on record")
            continue
        if status == 201:
            if state not in (State.APPROVED, State.CONFIRMED, State.REVERSED):
                world.broken(f"{told.path} {told.about} was answered 201, and it is {state and state.name}")
            code = told.answer.body["voucher"]["code"]
            if codes.setdefault(told.about, code) != code:
                world.broken(f"two vouchers for {told.about}: {codes[told.about]} and {code}")
        if status == 503 and tills.created[told.about] == 1:
            for provider in world.providers.values():
                entry = provider.entries.get(told.about)
                if entry is not None and entry.stands:
                    world.broken(f"{told.path} {told.about} was answered 503, and {provider.name} did it")
        if status == 500 and told.answer.body.get("errorMessage") == "Unexpected error.":
            world.broken(f"{told.path} {told.about} ended in an unexpected error")
