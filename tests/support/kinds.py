"""The three kinds of request, told apart by data, and requests that are stopped half-way."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import pytest

from support.client import Answer
from support.messages import Json, a_provision, a_redemption, a_refund, rand
from support.originators import TILL
from support.simulator import SimulatorControl
from support.till import Till

# Longer than any test takes: what waits for it on the simulator's clock waits until `release`.
LONG_MS: Final = 100_000


@dataclass(frozen=True)
class Kind:
    """What differs between the three kinds of request.

    `request` makes a valid one for a voucher that somebody else sold: an originator in a hurry has no time for that.
    """

    path: str
    op: str
    reverse_op: str
    reversed: str
    found: str
    no_record: str
    request: Callable[[Till], Awaitable[Json]]


async def _provision(till: Till) -> Json:
    return a_provision(till.by)


async def _redemption(till: Till) -> Json:
    sold = await Till(till.switch, TILL).a_confirmed()
    return a_redemption(till.by, code=sold.code)


async def _refund(till: Till) -> Json:
    used = await Till(till.switch, TILL).a_used()
    return a_refund(till.by, code=used.code, amounts={"requestAmount": rand(10_000)})


PROVISION = Kind(
    "/vouchers", "provision", "reverse", "VOUCHER_ALREADY_REVERSED", "PROVISIONED", "No voucher req.", _provision
)
REDEMPTION = Kind(
    "/redemptions",
    "redeem",
    "reverseRedeem",
    "REDEMPTION_ALREADY_REVERSED",
    "CONFIRMED_PROVISIONED",
    "No Redemption Request",
    _redemption,
)
REFUND = Kind(
    "/refunds",
    "refund",
    "reverseRefund",
    "REFUND_ALREADY_REVERSED",
    "CONFIRMED_REDEEMED",
    "No Refund Request",
    _refund,
)
KINDS = pytest.mark.parametrize("kind", [PROVISION, REDEMPTION, REFUND], ids=["provision", "redemption", "refund"])
MOVEMENTS = pytest.mark.parametrize("kind", [REDEMPTION, REFUND], ids=["redemption", "refund"])


async def running(till: Till, simulator: SimulatorControl, kind: Kind) -> tuple[Json, "asyncio.Task[Answer]"]:
    """A request that the provider has processed and does not answer before `release`."""
    request = await kind.request(till)
    await simulator.fault("late", kind.op, request["id"], ms=LONG_MS)
    answering = asyncio.create_task(till.post(kind.path, request))
    await simulator.takes(request["id"], kind.op)
    return request, answering


async def release(simulator: SimulatorControl, answering: "asyncio.Task[Answer]") -> Answer:
    """Let the provider do and answer what was held back; return the originator's answer."""
    await simulator.advance(LONG_MS)
    return await answering


async def lost(till: Till, simulator: SimulatorControl, kind: Kind, fault: str = "drop_after") -> Json:
    """A request that was answered 504 and whose outcome stays unknown."""
    request = await kind.request(till)
    await simulator.fault(fault, kind.op, request["id"])
    answer = await till.post(kind.path, request)
    assert (answer.status, answer.error_type) == (504, "UPSTREAM_UNAVAILABLE"), answer
    return request
