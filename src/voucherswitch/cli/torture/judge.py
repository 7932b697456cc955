"""What four books say of each other. Pure: books in, differences out.

A difference is allowed only where the product lists the request by itself, as open, parked or at risk, before a person
asks for it. Everything else is a failure with the id of one request, whose story `voucherswitch explain` tells.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct

from voucherswitch.cli.torture.books import Books, Entry, Issued, Owed
from voucherswitch.cli.torture.till_book import Told
from voucherswitch.message.states import AdviceKind, AdviceState, Kind, State
from voucherswitch.providers import registry

# The words of all providers for a voucher that can never be spent again, and was not spent.
DEAD: Final = frozenset(
    {"REVERSED", "VOIDED", "CANCELLED", "BLOCKED", "RELEASED", "REJECTED", "EXPIRED", "LAPSED", "E"}
)
# Their words for a voucher that waits for its confirmation.
UNCONFIRMED: Final = frozenset({"PROVISIONED", "ISSUED", "RESERVED", "UNSOLD"})
_STANDS: Final = (State.APPROVED, State.CONFIRMED)
_DONE: Final = frozenset(set(AdviceState) - {AdviceState.QUEUED})


class Difference(Struct, frozen=True):
    """Two books that disagree about one request. `rule` is what a person reads in the summary."""

    rule: str
    request_id: str
    what: str


def judge(tills: Iterable[Told], books: Books) -> list[Difference]:
    """Every difference that the product does not list."""
    told = {one.request_id: one for one in tills}
    found = list(_till_by_till(told, books))
    found += _record_by_record(books)
    found += _balances(told, books)
    found += _strangers(told, books)
    found += [
        Difference(f"invariant {finding.name}", str(row.request_id or row.key), row.found)
        for finding in books.broken
        for row in finding.rows
    ]
    return found


def _till_by_till(tills: dict[str, Told], books: Books) -> Iterator[Difference]:
    """What a till was told must be what the journal holds."""
    for told in tills.values():
        request_id = told.request_id
        entry = books.journal.get(request_id)
        for contradiction in told.contradictions:
            yield Difference("a till is never told one thing and then another", request_id, contradiction)
        if told.confirmed and told.reversed:
            yield Difference("nothing is both confirmed and reversed", request_id, "both were acknowledged with 202")
        if told.approved and told.nothing_to_reverse:
            yield Difference("a till is never told one thing and then another", request_id, "approved, and 404")
        yield from _acknowledged(told, entry, books)
        yield from _lost(told, entry, books)


def _acknowledged(told: Told, entry: Entry | None, books: Books) -> Iterator[Difference]:
    """An advice that was answered 202 is on file, has had its effect, and is no longer owed."""
    request_id = told.request_id
    owed = {advice.advice_id: advice for advice in books.advices.get(request_id, ())}
    for advice_id, state in ((told.confirmed, State.CONFIRMED), (told.reversed, State.REVERSED)):
        if advice_id is None:
            continue
        if entry is None or entry.state is not state:
            held = "no record" if entry is None else entry.state.name
            yield Difference("an acknowledged advice is kept", request_id, f"{state.name} was acknowledged: {held}")
        # The switch's own advice may have been there before: then the till's changed nothing and has no row of its own.
        if advice_id not in owed and not told.single and not _already(owed.values(), state):
            yield Difference("an acknowledged advice is kept", request_id, f"advice {advice_id} is not in the SAF")


def _already(owed: Iterable[Owed], state: State) -> bool:
    kind = AdviceKind.CONFIRMATION if state is State.CONFIRMED else AdviceKind.REVERSAL
    return any(advice.kind is kind for advice in owed)


def _lost(told: Told, entry: Entry | None, books: Books) -> Iterator[Difference]:
    """A customer who was told "approved" has it; one who was told "no" has nothing."""
    request_id = told.request_id
    if request_id in books.listed:
        return
    state = "no record" if entry is None else entry.state.name
    if told.approved and (entry is None or entry.state not in (*_STANDS, State.REVERSED)):
        yield Difference("what was sold is on record", request_id, f"told 201, and there is {state}")
    undone = _undone(told)
    if undone and not told.confirmed:
        if entry is not None and entry.state in _STANDS:
            yield Difference("nothing stands that was undone", request_id, f"told {undone}, and it is {state}")
        elif told.kind is Kind.PROVISION and _living(books, request_id):
            yield Difference(
                "nothing stands that was undone", request_id, f"told {undone}; {_words(books, request_id)}"
            )
    if told.kind is Kind.PROVISION and told.code and entry is not None and entry.state in _STANDS:
        if entry.fingerprint != books.fingerprint(told.code):
            yield Difference("the customer holds the voucher on record", request_id, "another code is on record")
        if all(voucher.code != told.code for voucher in _living(books, request_id).values()):
            yield Difference("no voucher is lost", request_id, f"sold and paid for; {_words(books, request_id)}")


def _undone(told: Told) -> str:
    """In whose words the till may give the customer the money back; empty: it may not."""
    if told.reversed or told.nothing_to_reverse:
        return "that it is reversed"
    if told.not_processed:
        return "that it was certainly not processed"
    return f"no ({told.refused})" if told.refused else ""


def _record_by_record(books: Books) -> Iterator[Difference]:
    """What the journal holds must be what the providers hold, and the SAF must be empty."""
    for request_id, entry in books.journal.items():
        advices = books.advices.get(request_id, [])
        if any(advice.state not in _DONE for advice in advices):
            yield Difference("every advice is delivered", request_id, "an advice is still queued after the drain")
        effective = {advice.kind for advice in advices if advice.state in (AdviceState.DELIVERED, AdviceState.CONSUMED)}
        if len(effective) > 1:
            yield Difference("nothing is both confirmed and reversed", request_id, "both advices were delivered")
        if entry.kind is Kind.PROVISION:
            yield from _provision(entry, advices, books)


def _provision(entry: Entry, advices: list[Owed], books: Books) -> Iterator[Difference]:
    request_id = entry.request_id
    issued = books.issued.get(request_id, {})
    lives = _living(books, request_id)
    if len(lives) > 1 or any(voucher.vouchers > 1 for voucher in issued.values()):
        yield Difference("no voucher is doubled", request_id, _words(books, request_id))
        return
    delivered = {advice.kind for advice in advices if advice.state is AdviceState.DELIVERED}
    for name, voucher in issued.items():
        yield from _repeated(request_id, name, voucher)
        if (
            AdviceKind.CONFIRMATION in delivered
            and voucher.state in UNCONFIRMED
            and registry.capabilities(name).confirm.sends
        ):
            yield Difference("a delivered advice has its effect", request_id, f"confirmed; {name} has {voucher.state}")
        if AdviceKind.REVERSAL in delivered and voucher.state not in DEAD:
            yield Difference("a delivered advice has its effect", request_id, f"reversed; {name} has {voucher.state}")
    if request_id in books.listed:
        return
    if entry.state in _STANDS:
        if not lives:
            yield Difference("no voucher is lost", request_id, f"{entry.state.name}; {_words(books, request_id)}")
        elif any(voucher.value_cents != entry.approved_cents for voucher in lives.values()):
            yield Difference("the amounts agree", request_id, f"{entry.approved_cents}; {_words(books, request_id)}")
    elif lives:
        yield Difference(
            "nothing stands that was undone", request_id, f"{entry.state.name}; {_words(books, request_id)}"
        )


def _repeated(request_id: str, name: str, voucher: Issued) -> Iterator[Difference]:
    """An advice that was delivered twice changes nothing the second time."""
    ends = [happened.event for happened in voucher.events if happened.event in DEAD]
    if len(ends) > 1:
        yield Difference("an advice has its effect once", request_id, f"{name}: {', '.join(ends)}")


def _balances(tills: dict[str, Told], books: Books) -> Iterator[Difference]:
    """What is left on a voucher is its value without what was redeemed and with what was refunded, to the cent."""
    moved: dict[str, int] = {}
    doubtful: set[str] = set()
    for request_id, entry in books.journal.items():
        told = tills.get(request_id)
        if told is None or told.sold_id is None:
            continue
        if request_id in books.listed:
            doubtful.add(told.sold_id)
        elif entry.state in _STANDS:
            sign = -1 if entry.kind is Kind.REDEMPTION else 1
            moved[told.sold_id] = moved.get(told.sold_id, 0) + sign * (entry.approved_cents or 0)
    for sold_id in {told.sold_id for told in tills.values() if told.sold_id is not None} - doubtful:
        for name, voucher in books.issued.get(sold_id, {}).items():
            left = voucher.value_cents + moved.get(sold_id, 0)
            if voucher.balance_cents != left and sold_id not in books.listed:
                yield Difference(
                    "the balances agree", sold_id, f"{left} cents by the journal, {voucher.balance_cents} at {name}"
                )


def _strangers(tills: dict[str, Told], books: Books) -> Iterator[Difference]:
    """Nothing is in a book that nobody asked for."""
    for request_id, entry in books.journal.items():
        if request_id not in tills and entry.has_request:
            yield Difference("nobody sells by himself", request_id, "on record, and no till asked for it")
    for name, total in books.totals.items():
        known = sum(vouchers[name].vouchers for vouchers in books.issued.values() if name in vouchers)
        if total != known:
            yield Difference("nobody sells by himself", name, f"{name} has {total} vouchers, {known} of them known")


def _living(books: Books, request_id: str) -> dict[str, Issued]:
    return {name: one for name, one in books.issued.get(request_id, {}).items() if one.state not in DEAD}


def _words(books: Books, request_id: str) -> str:
    issued = books.issued.get(request_id)
    if not issued:
        return "no provider has one"
    return ", ".join(f"{one.vouchers} at {name} ({one.state}, {one.value_cents} cents)" for name, one in issued.items())
