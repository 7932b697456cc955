"""Tills as they are: they sell, lose answers, repeat, reverse, confirm, redeem and refund, several at once.

Each story is one customer's. A till that was left without an answer does what the interface tells it to: it retries or
reverses, and repeats an advice until somebody takes it.
"""

import asyncio
from typing import Any, Final
from uuid import uuid4

from msgspec import Struct

from simulation.world import DUAL, RECEIVERS, SINGLE, Answer, Lost, World
from support.messages import a_confirmation, a_provision, a_redemption, a_refund, a_reversal, a_tender_confirmation
from support.originators import Originator

ADVICE_TRIES_MAX: Final = 80  # a till repeats for ever; a world in which it has to has shown it by then

Json = dict[str, Any]


class Told(Struct, frozen=True):
    """What a till heard. `about` is the creating request."""

    path: str
    about: str
    message_id: str
    answer: Answer


class Tills:
    """All tills of one world, and everything that they were told."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.told: list[Told] = []
        self.created: dict[str, int] = {}  # how often a creating request was sent, its retries too

    async def story(self, number: int) -> None:
        """One customer."""
        draw = self._world.draw
        till = Till(self, self._world, DUAL if draw.random() < 0.7 else SINGLE)
        await asyncio.sleep(draw.choice((0.0, 0.0, 0.5, 3.0)) + number * draw.choice((0.0, 0.01, 0.5)))
        await till.sell()


class Till:
    """One originator at one counter."""

    def __init__(self, tills: Tills, world: World, by: str) -> None:
        self._tills = tills
        self._world = world
        self._by = by
        self._single = by == SINGLE
        self._originator = Originator(by)
        self._others: list[asyncio.Task[None]] = []

    async def sell(self) -> None:
        """Sell a voucher, and perhaps let it be used and returned."""
        try:
            await self._sell()
        finally:
            if self._others:
                await asyncio.wait(self._others)

    async def _sell(self) -> None:
        draw = self._world.draw
        request = a_provision(self._originator, product=None, cents=10_000, receiver=draw.choice(RECEIVERS))
        self._meddle("/vouchers", request)
        answer = await self._create("/vouchers", request)
        for _ in range(draw.choice((0, 1, 3))):
            if answer is not None and answer.status not in (500, 504):
                break
            await asyncio.sleep(draw.choice((0.0, 0.3, 2.0)))
            answer = await self._create(f"/vouchers/{request['id']}/retry", request)
        if answer is None or answer.status in (500, 504):
            if draw.random() < 0.8:
                await self._advise("/vouchers/reversals", a_reversal(request["id"]))
            return
        if answer.status != 201 or not await self._settle("/vouchers", request["id"]):
            return
        code = answer.body["voucher"]["code"]
        for _ in range(draw.choice((0, 1, 1, 2))):
            await self._use(code, request["receiver"])

    async def _use(self, code: str, receiver: Json) -> None:
        draw = self._world.draw
        redemption = a_redemption(self._originator, code=code, receiver=receiver)
        if draw.random() < 0.2:
            rival = a_redemption(self._originator, code=code, receiver=receiver)
            self._beside(self._move("/redemptions", rival), 0.0)
        self._meddle("/redemptions", redemption)
        if await self._move("/redemptions", redemption) and draw.random() < 0.5:
            refund = a_refund(self._originator, code=code, receiver=receiver)
            self._meddle("/refunds", refund)
            await self._move("/refunds", refund)

    async def _move(self, path: str, request: Json) -> bool:
        """Redeem or refund; returns whether it stands."""
        answer = await self._create(path, request)
        if answer is None or answer.status in (500, 504):
            await self._advise(f"{path}/reversals", a_reversal(request["id"]))
            return False
        return answer.status == 201 and await self._settle(path, request["id"])

    async def _settle(self, path: str, request_id: str) -> bool:
        """Confirm, reverse or forget what was approved; returns whether it stands."""
        draw = self._world.draw
        choice = draw.random()
        await asyncio.sleep(draw.choice((0.0, 0.0, 1.0, 5.5)))
        if draw.random() < 0.15:  # two terminals, two minds
            self._beside(self._advise(f"{path}/reversals", a_reversal(request_id)), draw.choice((0.0, 0.0, 0.02)))
        if choice < 0.15:
            await self._advise(f"{path}/reversals", a_reversal(request_id))
            return False
        if self._single:
            return True
        if choice < 0.25:
            return False
        body = a_tender_confirmation(request_id) if path == "/vouchers" else a_confirmation(request_id)
        return await self._advise(f"{path}/confirmations", body) == 202

    def _meddle(self, path: str, request: Json) -> None:
        """Sometimes others send something about the same request: a second terminal, a repeat in the network."""
        draw = self._world.draw
        for _ in range(draw.choice((0, 0, 0, 1, 2))):
            kind = draw.choice(
                ("again", "retry", "reverse", "confirm") if path == "/vouchers" else ("again", "reverse")
            )
            after_s = draw.choice((0.0, 0.02, 0.5, 3.0, draw.uniform(0, 8)))
            if kind == "again":
                self._beside(self._create(path, request), after_s)
            elif kind == "retry":
                self._beside(self._create(f"/vouchers/{request['id']}/retry", request), after_s)
            elif kind == "reverse":
                self._beside(self._advise(f"{path}/reversals", a_reversal(request["id"])), after_s)
            else:
                self._beside(
                    self._advise(f"{path}/confirmations", a_tender_confirmation(request["id"]), tries=3), after_s
                )

    def _beside(self, work: Any, after_s: float) -> None:
        async def later() -> None:
            await asyncio.sleep(after_s)
            await work

        self._others.append(asyncio.get_running_loop().create_task(later()))

    async def _create(self, path: str, request: Json) -> Answer | None:
        self._tills.created[request["id"]] = self._tills.created.get(request["id"], 0) + 1
        try:
            answer = await self._world.post(self._by, path, request)
        except Lost:
            return None
        self._tills.told.append(Told(path, request["id"], request["id"], answer))
        return answer

    async def _advise(self, path: str, advice: Json, *, tries: int = ADVICE_TRIES_MAX) -> int:
        """Repeat an advice until it is taken or refused for good; returns the last status, 0 for none."""
        draw = self._world.draw
        status = 0
        for _ in range(tries):
            try:
                answer = await self._world.post(self._by, path, advice)
            except Lost:
                status = 0
            else:
                self._tills.told.append(Told(path, advice["requestId"], advice["id"], answer))
                status = answer.status
                if status < 500:
                    return status
            await asyncio.sleep(draw.choice((0.2, 1.0)))
            if draw.random() < 0.2:
                advice = advice | {"id": str(uuid4())}  # some tills make a new advice of each try
        return status
