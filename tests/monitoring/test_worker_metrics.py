"""The worker's `/metrics`: what is broken, what is owed and what is unresolved, as the minute check found it."""

import re
import socket
from collections.abc import AsyncIterator

import pytest
from pyreqwest.client import ClientBuilder

from support.originators import TILL
from support.switch import Switch
from support.till import Till
from support.waiting import eventually
from voucherswitch.journal.invariants import INVARIANTS


class Watched:
    """A switch whose worker serves metrics."""

    def __init__(self, switch: Switch, port: int) -> None:
        self.switch = switch
        self.url = f"http://127.0.0.1:{port}/metrics"

    async def metrics(self) -> dict[str, float]:
        """Every sample by its name with its labels."""
        async with ClientBuilder().build() as client:
            text = await (await client.get(self.url).build().send()).text()
        return {name: float(value) for name, value in re.findall(r"^(voucherswitch_\S+) (\S+)$", text, re.MULTILINE)}

    async def shows(self, sample: str, value: float) -> None:
        """Wait until a sample has a value."""

        async def there() -> bool:
            return (await self.metrics()).get(sample) == value

        await eventually(there, f"{sample} {value}", within_s=20)


@pytest.fixture(scope="module")
async def watched() -> AsyncIterator[Watched]:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    async with Switch.start(settings={"WORKER_METRICS_PORT": str(port)}) as switch:
        yield Watched(switch, port)


async def test_a_broken_invariant_is_counted_alerted_once_and_told_again_when_it_is_mended(watched: Watched) -> None:
    switch, sample = watched.switch, 'voucherswitch_invariant_broken_rows{invariant="approval_incomplete"}'
    sold = await Till(switch, TILL).a_confirmed()
    await watched.shows(sample, 0)
    answer = await switch.value("SELECT answer FROM transaction WHERE request_id = $1", sold.id)
    change = "UPDATE transaction SET answer = $2, changed_at = clock_timestamp() WHERE request_id = $1"
    await switch.pool.execute(change, sold.id, None)
    await watched.shows(sample, 1)
    await switch.pool.execute(change, sold.id, answer)
    await watched.shows(sample, 0)
    log = switch.senders[0].text()
    assert log.count("invariant_broken") == 1
    assert log.count("invariant_mended") == 1
    assert sold.id in log


async def test_every_invariant_is_told_and_when_it_was_looked_at(watched: Watched) -> None:
    """One that holds is 0: a rule on what is absent would never fire."""
    await watched.shows('voucherswitch_invariant_broken_rows{invariant="two_advices"}', 0)
    metrics = await watched.metrics()
    told = {name for name in metrics if name.startswith("voucherswitch_invariant_broken_rows")}
    assert told == {f'voucherswitch_invariant_broken_rows{{invariant="{one.name}"}}' for one in INVARIANTS}
    assert metrics["voucherswitch_invariant_check_timestamp_seconds"] > 0


async def test_the_queue_of_each_provider_is_told(watched: Watched) -> None:
    await watched.shows('voucherswitch_saf_advices{provider="sandbox",state="parked"}', 0)
    assert 'voucherswitch_saf_oldest_advice_seconds{provider="sandbox"}' in await watched.metrics()


async def test_the_vault_key_that_seals_is_told_and_that_nothing_is_left_under_another(watched: Watched) -> None:
    await watched.shows("voucherswitch_vault_sealing_key", 1)
    await watched.shows("voucherswitch_vault_blocks_left", 0)
    await watched.shows("voucherswitch_vault_unopened_values", 0)
