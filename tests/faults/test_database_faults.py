"""The database fails under load: afterwards what tills were told, the journal and the provider's book must agree.

A worker sells without a pause while the server is restarted, dies, is replaced by its standby, or has a full disk. The
worker is never restarted.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncpg
from pyreqwest.exceptions import RequestError

from support.client import Answer, Client
from support.messages import Json, a_provision
from support.switch import Switch
from support.waiting import eventually
from voucherswitch.journal.embedded.account import Account
from voucherswitch.journal.embedded.programs import Programs
from voucherswitch.message.states import State

TILLS = 6
SOLD_BEFORE, SOLD_AFTER = 30, 30


class Hammer:
    """Tills that sell without a pause, and what each request was answered; None: nothing was heard."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._stopped = False
        self.answers: dict[str, Answer | None] = {}

    @property
    def sold(self) -> int:
        """How many were told that they have a voucher."""
        return sum(answer is not None and answer.status == 201 for answer in self.answers.values())

    @asynccontextmanager
    async def hammering(self) -> AsyncIterator[None]:
        """Sell for as long as this lasts, the time before and after the fault included."""
        await self._client.post("/vouchers", a_provision())  # the password is verified once
        tills = [asyncio.create_task(self._till()) for _ in range(TILLS)]
        try:
            await self._sells(SOLD_BEFORE)
            yield
            await self._sells(self.sold + SOLD_AFTER)
        finally:
            self._stopped = True
            await asyncio.gather(*tills)

    async def _till(self) -> None:
        while not self._stopped:
            request: Json = a_provision()
            self.answers[request["id"]] = None
            with suppress(RequestError):
                self.answers[request["id"]] = await self._client.post("/vouchers", request)

    async def _sells(self, count: int) -> None:
        async def enough() -> bool:
            return self.sold >= count

        await eventually(enough, f"{count} vouchers", within_s=60)


async def books_agree(switch: Switch, hammer: Hammer, database: asyncpg.Connection) -> None:
    """No acknowledged sale is missing, none was made twice, 503 was the truth, and what is open is no sale."""

    async def differences() -> list[str]:
        rows = await database.fetch("SELECT request_id, state FROM transaction")
        states = {str(row["request_id"]): State(row["state"]) for row in rows}
        found = [await _difference(switch, key, answer, states.get(key)) for key, answer in hammer.answers.items()]
        return [difference for difference in found if difference]

    async def none() -> bool:
        return await differences() == []

    with suppress(AssertionError):  # what is kept is written a moment later
        await eventually(none, "agreement", within_s=15)
    assert await differences() == []


async def _difference(switch: Switch, key: str, answer: Answer | None, state: State | None) -> str | None:
    calls = await switch.simulator.taken(key, "provision")
    voucher = await switch.simulator.voucher(reference=key) if calls else None
    told = None if answer is None else answer.status
    if len(calls) > 1:
        return f"{key}: sold {len(calls)} times"
    if told == 201 and (state is not State.APPROVED or voucher is None or answer is None):
        return f"{key}: told 201, journal {state}, provider {voucher}"
    if told == 201 and answer is not None and voucher is not None and answer.code != voucher["code"]:
        return f"{key}: the till holds another voucher"
    if told == 503 and voucher is not None:
        return f"{key}: told that nothing was processed, and the provider sold"
    if voucher is not None and state is not State.APPROVED:
        return f"{key}: sold, told {told}, journal {state}"
    return None


async def test_a_restart_of_the_database_loses_nothing() -> None:
    """As an administrator does it: connections are ended, what is durable stays."""
    async with Switch.start(senders=0) as switch:
        hammer = Hammer(switch.client)
        async with hammer.hammering():
            await asyncio.to_thread(switch.database.stop)
            await asyncio.to_thread(switch.database.start)
        await _agree(switch, hammer, switch.database.url)


async def test_a_crash_of_the_database_loses_nothing() -> None:
    """Stopped without a checkpoint, recovered from its log."""
    async with Switch.start(senders=0) as switch:
        hammer = Hammer(switch.client)
        async with hammer.hammering():
            await asyncio.to_thread(_crash, switch.folder / "data")
            await asyncio.to_thread(switch.database.start)
        await _agree(switch, hammer, switch.database.url)


async def test_a_disk_that_is_full_loses_nothing() -> None:
    """The server refuses to write with the SQLSTATE of a full disk, then has room again."""
    async with Switch.start(senders=0) as switch:
        hammer = Hammer(switch.client)
        await switch.pool.execute(
            """CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
               BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$"""
        )
        async with hammer.hammering():
            await switch.pool.execute(
                "CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON transaction EXECUTE FUNCTION full_disk()"
            )
            await _refused(hammer)
            await switch.pool.execute("DROP TRIGGER full_disk ON transaction")
        await _agree(switch, hammer, switch.database.url)


async def test_a_failover_to_a_synchronous_standby_loses_nothing() -> None:
    """The primary dies, its standby is promoted, and the worker finds it by itself."""
    async with Switch.start(senders=0) as switch, _standby(switch) as (standby, promote):
        folder = switch.database_socket.parent
        url = f"postgresql://postgres@/voucherswitch?host={folder},{standby}&port=5432"
        async with switch.extra_worker(database_url=url) as client:
            hammer = Hammer(client)
            async with hammer.hammering():
                await asyncio.to_thread(_crash, switch.folder / "data")
                await asyncio.to_thread(promote)
            await _agree(switch, hammer, f"postgresql://postgres@/voucherswitch?host={standby}&port=5432")
        # The old primary is no part of the switch any more; its own rows are looked at when the switch ends.
        await asyncio.to_thread(switch.database.start)
        await switch.pool.expire_connections()
        await switch.pool.execute("ALTER SYSTEM RESET synchronous_standby_names")
        await switch.pool.execute("SELECT pg_reload_conf()")


async def _agree(switch: Switch, hammer: Hammer, url: str) -> None:
    database = await asyncpg.connect(url)
    try:
        await books_agree(switch, hammer, database)
    finally:
        await database.close()


async def _refused(hammer: Hammer) -> None:
    async def some() -> bool:
        return any(answer is not None and answer.status == 503 for answer in hammer.answers.values())

    await eventually(some, "a refusal", within_s=30)


def _programs(data: Path) -> Programs:
    return Programs(Account.choose(data / "postgres"))


def _crash(data: Path) -> None:
    """Stop a server as a power cut does, as far as its files go."""
    cluster = data / "postgres" / "data"
    answer = _programs(data).run("pg_ctl", "--pgdata", str(cluster), "--mode", "immediate", "--wait", "stop")
    assert answer.returncode == 0, answer.stderr


@asynccontextmanager
async def _standby(switch: Switch) -> AsyncIterator[tuple[Path, Callable[[], None]]]:
    """A standby that the primary waits for at each commit; gives its socket's folder, and its promotion."""
    programs = _programs(switch.folder / "data")
    home = switch.folder / "standby"
    await asyncio.to_thread(home.mkdir, mode=0o700)
    programs.account.give(home)
    data, primary = str(home / "data"), str(switch.database_socket.parent)

    def run(program: str, *arguments: str) -> None:
        with (switch.folder / "standby.log").open("ab") as log:  # the server keeps it open: no pipe would ever end
            answer = programs.run(program, *arguments, output=log)
        assert answer.returncode == 0, (switch.folder / "standby.log").read_text()

    def start() -> None:
        run("pg_basebackup", "--pgdata", data, "--host", primary, "--username", "postgres", "--checkpoint", "fast",
            "--write-recovery-conf", "--no-sync")  # fmt: skip
        options = f"-c listen_addresses='' -c unix_socket_directories='{home}' -c cluster_name=standby"
        run("pg_ctl", "--pgdata", data, "--wait", "--options", options, "start")

    await asyncio.to_thread(start)
    try:
        await switch.pool.execute("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
        await switch.pool.execute("SELECT pg_reload_conf()")

        async def synchronous() -> bool:
            return bool(await switch.pool.fetchval("SELECT bool_or(sync_state = 'sync') FROM pg_stat_replication"))

        await eventually(synchronous, "a synchronous standby", within_s=30)
        yield home, lambda: run("pg_ctl", "--pgdata", data, "--wait", "promote")
    finally:
        await asyncio.to_thread(run, "pg_ctl", "--pgdata", data, "--mode", "immediate", "--wait", "stop")
