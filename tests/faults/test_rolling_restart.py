"""The workers are replaced while tills sell: no till notices, and the books agree."""

import asyncio
import signal
from collections.abc import AsyncIterator

import pytest

from support.certificates import ClientTls
from support.client import Answer
from support.messages import Json, a_confirmation, a_provision
from support.originators import TILL
from support.processes import Process
from support.switch import Switch
from support.waiting import eventually
from support.wire import Wire

WORKERS = 2
KEEPING = 6
FRESH = 3
RESTART_S_MAX = 100  # two processes are started one after the other, by a machine that has its hands full


@pytest.fixture
async def switch() -> AsyncIterator[Switch]:
    """A switch that its own command runs. A till that gets no processor for seconds is no idle one."""
    async with Switch.start(workers=WORKERS, supervised=True, settings={"KEEP_ALIVE_S": "75"}) as switch:
        yield switch


class Sales:
    """Tills that sell and confirm until they are told to stop, and what came of it."""

    def __init__(self, switch: Switch) -> None:
        self.answers: list[tuple[Json, Answer]] = []
        self.broken: list[str] = []
        self._switch = switch
        self._stopping = False

    async def till(self, *, keep: bool, over_tls: bool) -> None:
        """Sell without a pause, so that there always is a request on its way."""
        switch = self._switch
        root, tls = (switch.tls_root, ClientTls(switch.authority.path)) if over_tls else (switch.root, None)
        wire = Wire(switch, TILL, root, tls)
        while not self._stopping:
            request = a_provision(cents=10_000)
            try:
                sold = await wire.post("/vouchers", request, keep=keep)
                self.answers.append((request, sold))
                if sold.status == 201:
                    confirmed = await wire.post("/vouchers/confirmations", a_confirmation(request["id"]), keep=keep)
                    self.answers.append((request, confirmed))
            except (OSError, EOFError) as error:
                self.broken.append(f"{'kept' if keep else 'fresh'} connection to {root}: {error!r}")
        wire.close()

    def stop(self) -> None:
        """Let every till end with the sale that it is at."""
        self._stopping = True


async def _restarted(supervisor: Process, times: int = 1) -> None:
    async def said() -> bool:
        supervisor.must_run()
        return supervisor.text().count("voucherswitch: restarted") >= times

    await eventually(said, "workers restarted one by one", within_s=RESTART_S_MAX)


async def _backends(switch: Switch) -> set[int]:
    """The database connections of the workers."""
    rows = await switch.rows("SELECT pid FROM pg_stat_activity WHERE application_name = 'voucherswitch switch'")
    return {row["pid"] for row in rows}


@pytest.mark.timeout(240)
async def test_a_rolling_restart_under_load_breaks_no_request_and_the_books_agree(switch: Switch) -> None:
    """Tills that keep their connection send at every moment of the stop; the others connect at every moment of it.

    Every other one speaks TLS.
    """
    supervisor = switch.workers[0]
    await switch.client.post("/vouchers", a_provision())  # the password is verified once, before the rush
    before = await _backends(switch)
    sales = Sales(switch)
    tills = [
        asyncio.create_task(sales.till(keep=number < KEEPING, over_tls=number % 2 == 1))
        for number in range(KEEPING + FRESH)
    ]
    try:
        supervisor.signal(signal.SIGHUP)
        await _restarted(supervisor)
    finally:
        sales.stop()
        await asyncio.gather(*tills)

    assert sales.broken == [], supervisor.text()
    others = [answer for _, answer in sales.answers if answer.status not in (201, 202, 503)]
    assert others == [], supervisor.text()
    assert before.isdisjoint(await _backends(switch)), "every worker is a new one"
    assert supervisor.text().count("restarting switch-") == WORKERS

    sold = [(request, answer) for request, answer in sales.answers if answer.status == 201]
    assert len(sold) > 50
    assert await switch.value("SELECT count(*) FROM transaction WHERE state IN (1, 4)") == 0, "none left open"
    for request, answer in sold[:: max(1, len(sold) // 200)]:
        voucher = await switch.simulator.voucher(reference=request["id"])
        assert voucher is not None
        assert answer.code == voucher["code"]
    issued = await switch.value("SELECT count(*) FROM transaction")
    assert (await switch.simulator.totals())["vouchers"] == issued == len(sold) + 1
