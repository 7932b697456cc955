"""A whole switch with simulated providers behind it, and what the two sides' books say of each other."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from support.client import Answer
from support.messages import Json, a_provision, cash
from support.simulator import SimulatorControl
from support.switch import Switch
from support.till import Till
from support.waiting import eventually
from voucherswitch.catalogue.brands import SIMULATED_BRANDS, SimulatedBrand
from voucherswitch.catalogue.sandbox import load_brand
from voucherswitch.message.states import State
from voucherswitch.providers import registry
from voucherswitch.providers.contract.capabilities import Capabilities
from voucherswitch.providers.contract.simulator.running import RunningSimulator

CENTS: Final = 10_000
NAMES: Final = tuple(brand.provider_id for brand in SIMULATED_BRANDS)
BRANDS: Final[Mapping[str, SimulatedBrand]] = {brand.provider_id: brand for brand in SIMULATED_BRANDS}
# The product of each brand that these tests sell: one that takes R100.
SOLD: Final = {
    "stellr": "GAME100", "netcare": "GPVISIT", "lottostar": "LOTTO100", "hollywoodbets": "HOLLY100",
    "supabets": "SUPA100", "ott": "OTT100", "yoyo": "GIFTCARD", "bluvoucher": "BLU100", "flash": "1VOUCHER100",
    "betway": "BETWAYANY",
}  # fmt: skip
REFUSED_MS: Final = 1_500
# Silence must end within a test; everything else is as the provider's settings have it.
IMPATIENT: Final = {"read_timeout_ms": 900, "total_timeout_ms": 2_500}
# The words of all providers for a voucher that can never be spent again, and was not spent.
DEAD: Final = frozenset(
    {"REVERSED", "VOIDED", "CANCELLED", "BLOCKED", "RELEASED", "REJECTED", "EXPIRED", "LAPSED", "E"}
)


class Provider:
    """One simulated provider behind the switch."""

    def __init__(self, switch: Switch, till: Till, name: str, control: SimulatorControl) -> None:
        self.name = name
        self.control = control
        self.seeded = 0
        self._switch = switch
        self._till = till

    @property
    def can(self) -> Capabilities:
        """Its capability record."""
        return registry.capabilities(self.name)

    @property
    def receiver(self) -> Json:
        """Its brand as messages name it."""
        brand = BRANDS[self.name].receiver
        return {"id": brand.id, "name": brand.name}

    def request(self) -> Json:
        """A request for a voucher of R100, paid for."""
        changes: dict[str, Any] = {"receiver": self.receiver, "tenders": [cash(CENTS) | {"reference": "SLIP-000123"}]}
        return a_provision(product=SOLD[self.name], cents=CENTS, **changes)

    async def sold(self) -> tuple[Json, Answer]:
        """A voucher that was sold."""
        request = self.request()
        answer = await self._till.post("/vouchers", request)
        assert answer.status == 201, answer
        return request, answer

    async def confirmed(self) -> tuple[Json, Answer]:
        """A voucher that was sold, confirmed, and whose confirmation the provider has or never takes."""
        request, answer = await self.sold()
        assert (await self._till.confirm_voucher(request["id"])).status == 202
        await self.told(request["id"])
        return request, answer

    async def told(self, request_id: str) -> str:
        """Wait until nothing is owed for a request; returns what became of its last advice."""

        async def over() -> str:
            states = [state for _, state in await self._switch.advices(request_id)]
            return states[-1] if states and "QUEUED" not in states else ""

        return await eventually(over, f"the advices of {request_id} at {self.name}", within_s=15)

    async def sold_elsewhere(self) -> str:
        """The code of a voucher that somebody else sold."""
        self.seeded += 1
        return str((await self.control.seed(valueCents=CENTS))["code"])

    async def issued(self, request_id: str) -> int:
        """How many vouchers the provider's books have for a request."""
        found = await self.control.voucher(reference=request_id)
        return 0 if found is None else int(found["vouchers"])

    async def age(self, request_id: str, by: timedelta) -> None:
        """Let a request have been sent longer ago: in the journal, and on the provider's clock."""
        await self._switch.pool.execute(
            """UPDATE transaction SET opened_at = opened_at - $2::interval, call_until = call_until - $2::interval,
                                      call_ended_at = call_ended_at - $2::interval
                WHERE request_id = $1""",
            request_id,
            by,
        )
        await self.control.advance(int(by.total_seconds() * 1000))

    @asynccontextmanager
    async def unreachable(self) -> AsyncIterator[None]:
        """Nothing listens at the provider's address while this lasts."""
        await self.control.refuse_connections(REFUSED_MS)
        yield

        async def listens() -> bool:
            address = urlsplit(self.control.url)
            try:
                _, writer = await asyncio.open_connection(address.hostname, address.port)
            except ConnectionRefusedError:
                return False
            writer.close()
            return True

        await eventually(listens, f"{self.name} that listens again")

    async def disagreements(self) -> list[str]:
        """Compare the journal with the provider's books, voucher by voucher and to the cent."""
        rows = await self._switch.rows(_PROVISIONS, self.name)
        found, booked = [], 0
        for row in rows:
            request_id, state = str(row["request_id"]), State(row["state"])
            voucher = await self.control.voucher(reference=request_id)
            booked += 0 if voucher is None else int(voucher["vouchers"])
            advices = await self._switch.advices(request_id)
            if not _agrees(state, row["approved_cents"], advices, voucher):
                found.append(f"{request_id}: {state.name} here, {voucher} there")
        total = (await self.control.totals())["vouchers"]
        if total != booked + self.seeded:
            found.append(f"{self.name} has {total} vouchers: {booked} of ours and {self.seeded} from elsewhere")
        return found


_PROVISIONS: Final = "SELECT request_id, state, approved_cents FROM transaction WHERE provider_id = $1 AND kind = 1"


def _agrees(state: State, approved_cents: int | None, advices: list[tuple[str, str]], voucher: Json | None) -> bool:
    """Whether the journal and the provider say the same of one provision, or an operator is told that they do not."""
    lives = voucher is not None and voucher["state"] not in DEAD
    if voucher is not None and voucher["vouchers"] > 1:
        return False
    if any(told == "PARKED" for _, told in advices):
        return True
    if state is State.APPROVED and voucher is not None and voucher["state"] == "EXPIRED":
        return True  # a reservation whose time was up before anybody confirmed it: the resolver is about to release it
    if state in (State.APPROVED, State.CONFIRMED):
        return voucher is not None and lives and voucher["valueCents"] == approved_cents
    if state is State.DECLINED or (state is State.REVERSED and ("REVERSAL", "DELIVERED") in advices):
        return not lives
    return True  # unknown, or reversed here only: listed as such


async def load(switch: Switch, simulators: Mapping[str, RunningSimulator]) -> None:
    """Put the simulated providers with their brands into the switch's catalogue."""
    async with switch.pool.acquire() as connection:
        for name, simulator in simulators.items():
            settings = dict(registry.kit_profile(name).settings(simulator))
            secrets = {key: value for key, value in settings.items() if isinstance(value, str) and "url" not in key}
            plain = {key: value for key, value in settings.items() if key not in secrets} | IMPATIENT
            await load_brand(connection, switch.vault, BRANDS[name], settings=plain, secrets=secrets)
