"""One run: start everything, let tills sell while faults happen, let it drain, read four books, judge."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from msgspec import Struct

from voucherswitch.cli.torture import shop
from voucherswitch.cli.torture.books import Books, read_books
from voucherswitch.cli.torture.drain import Left, drain
from voucherswitch.cli.torture.faults import Injector
from voucherswitch.cli.torture.judge import Difference, judge
from voucherswitch.cli.torture.plan import plan
from voucherswitch.cli.torture.proxy import HOST
from voucherswitch.cli.torture.stack import LANE_LEASE_S, Stack, simulated_providers
from voucherswitch.cli.torture.till_book import TillBook
from voucherswitch.cli.torture.till_line import Line
from voucherswitch.cli.torture.tills import Till
from voucherswitch.message.states import OPEN_STATES, AdviceState, Kind
from voucherswitch.providers import registry

_TEND_S: Final = 0.2
_LAST_CUSTOMERS_S: Final = 90  # what tills may take to finish after the last fault
_EXPLAINED_MAX: Final = 3


class Order(Struct, frozen=True):
    """What a person asked for."""

    seed: int
    minutes: float
    tills: int
    think_s: float


class Progress(Struct):
    """What is going on, for the display; refreshed in place."""

    phase: str = "starting"
    began: float = 0.0
    seconds: float = 0.0
    transactions: int = 0
    messages: int = 0
    faults: int = 0
    now: str = ""
    left: Left | None = None


class Report(Struct, kw_only=True):
    """What a run found. `differences`: what two books say of one request and the product does not list."""

    seed: int
    minutes: float
    transactions: int
    by_kind: dict[str, int]
    per_second: float
    messages: int
    answers: dict[str, int]
    faults: int
    faults_met: int
    faults_by_kind: dict[str, int]
    vouchers: dict[str, int]
    advices: dict[str, int]
    listed: dict[str, int]
    unresolved_though_askable: int
    unfinished: int
    ended_by_themselves: list[str]
    left: Left
    drained_s: float
    differences: list[Difference]
    explanations: dict[str, str]
    folder: str

    @property
    def agreed(self) -> bool:
        """Whether the books agree and nothing is owed any more."""
        return not self.differences and not self.unfinished and self.left.queued == 0


async def torture(order: Order, folder: Path, progress: Progress) -> Report:
    """Do one run in a directory of its own."""
    async with Stack.start(folder) as stack:
        book = TillBook(folder / "tills.jsonl")
        try:
            return await _run(order, stack, book, progress)
        finally:
            book.close()


async def _run(order: Order, stack: Stack, book: TillBook, progress: Progress) -> Report:
    injector = Injector(stack)
    closing = asyncio.Event()
    tending = asyncio.create_task(_tend(stack, book, injector, progress))
    tills = [asyncio.create_task(till.work(closing)) for till in _tills(order, stack, book)]
    try:
        progress.phase, progress.began = "faults", time.monotonic()
        await _inject(order, injector, tills)
        progress.phase = "last customers"
        seconds = time.monotonic() - progress.began
        closing.set()
        await injector.calm()
        done, late = await asyncio.wait(tills, timeout=_LAST_CUSTOMERS_S)
        for till in done:
            till.result()  # a till that failed is a fault of ours
        progress.phase = "draining"
        drain_began = time.monotonic()

        def show(left: Left) -> None:
            progress.left = left

        left = await drain(stack, show)
        drained_s = time.monotonic() - drain_began
    finally:
        for task in (*tills, tending):
            task.cancel()
        await asyncio.gather(*tills, tending, return_exceptions=True)
    sold = [told.request_id for told in book if told.kind is Kind.PROVISION]

    def reading(what: str) -> None:
        progress.phase = f"reading the {what}"

    books = await read_books(stack, sold, reading)
    progress.phase = "judging"
    differences = judge(book, books)
    explanations = await _explain(stack, differences)
    return Report(
        seed=order.seed,
        minutes=order.minutes,
        transactions=len(book),
        by_kind=_count(told.kind.name.lower() for told in book),
        per_second=round(len(book) / seconds, 1),
        messages=book.messages,
        answers=dict(sorted(book.by_status.items())),
        faults=sum(injector.injected.values()),
        faults_met=sum(injector.met.values()),
        faults_by_kind=dict(sorted(injector.injected.items())),
        vouchers=books.totals,
        advices=_count(AdviceState(advice.state).name.lower() for owed in books.advices.values() for advice in owed),
        listed=_count(books.listed.values()),
        unresolved_though_askable=_askable(books),
        unfinished=len(late),
        ended_by_themselves=[end for process in stack.processes.values() for end in process.ended],
        left=left,
        drained_s=round(drained_s, 1),
        differences=differences,
        explanations=explanations,
        folder=str(stack.folder),
    )


def _tills(order: Order, stack: Stack, book: TillBook) -> list[Till]:
    """Every till with its own choices; half of them single-message."""
    wares = shop.wares()
    originators = (*shop.DUAL, *shop.SINGLE)
    tills = []
    for number in range(order.tills):
        user = originators[number % len(originators)]
        tills.append(
            Till(
                Line(HOST, stack.till_port, user, stack.passwords[user]),
                user,
                single=user in shop.SINGLE,
                wares=wares,
                book=book,
                choose=random.Random(f"till {order.seed} {number}"),  # noqa: S311 (repeatable is what it must be)
                think_s=order.think_s,
            )
        )
    return tills


async def _inject(order: Order, injector: Injector, tills: list["asyncio.Task[None]"]) -> None:
    """Fault after fault until the time is up."""
    until = time.monotonic() + order.minutes * 60
    for fault in plan(order.seed, simulated_providers(), LANE_LEASE_S):
        if time.monotonic() + fault.lasts_s + fault.then_s >= until:
            await asyncio.sleep(max(0.0, until - time.monotonic()))
            return
        await injector.inject(fault)
        await asyncio.sleep(fault.then_s)
        for till in tills:
            if till.done():
                till.result()


async def _tend(stack: Stack, book: TillBook, injector: Injector, progress: Progress) -> None:
    """Start again what ended by itself, and keep the display's figures."""
    while True:
        stack.tend()
        await stack.ensure_database()
        progress.transactions, progress.messages = len(book), book.messages
        progress.faults, progress.now = sum(injector.injected.values()), injector.now
        progress.seconds = time.monotonic() - progress.began if progress.began else 0.0
        await asyncio.sleep(_TEND_S)


async def _explain(stack: Stack, differences: list[Difference]) -> dict[str, str]:
    """The story of the first request of each rule that was broken."""
    first: dict[str, str] = {}
    for difference in differences:
        first.setdefault(difference.rule, difference.request_id)
    wanted = list(dict.fromkeys(first.values()))[:_EXPLAINED_MAX]
    return {request_id: await stack.explained(request_id) for request_id in wanted}


def _askable(books: Books) -> int:
    """Open records whose provider can be asked what became of them."""
    support = {Kind.PROVISION: "status", Kind.REDEMPTION: "redeem_status", Kind.REFUND: "refund_status"}
    return sum(
        entry.state in OPEN_STATES
        and entry.provider_id is not None
        and getattr(registry.capabilities(entry.provider_id), support[entry.kind]).sends
        for entry in books.journal.values()
    )


def _count(words: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(words).items()))
