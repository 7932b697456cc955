"""Somebody has a copy of the database, of its log and of ours, and no key: he finds no code, no PIN and nobody in it.

The switch sells, redeems and looks up, before, while and after the vault's keys are rotated. Then everything that it
left on disk is searched for all that it sold, and for all that the tables of the interface forbid to keep in clear.
"""

import asyncio
import base64
import os
import sys
from collections.abc import AsyncIterator, Iterator
from urllib.parse import quote
from uuid import UUID

import pytest

from support.marked import MARKS, discreet_rows, marked
from support.messages import Json, a_provision, a_redemption, a_refund, a_tender_confirmation, cash
from support.originators import TILL
from support.providers import SECRETS
from support.switch import Switch
from support.till import Till
from support.vault import vault_of
from support.waiting import eventually
from voucherswitch.journal.embedded.programs import find_programs
from voucherswitch.security.keys import Keyring
from voucherswitch.security.sealed import SEALED, TRANSACTION
from voucherswitch.security.vault import Vault

SALES_MAX = 6  # each is looked for in everything that was taken
WRONG_PIN = "no-such-pin-948105"


class Loot:
    """A switch that has sold, and everything that somebody could take away."""

    def __init__(self, switch: Switch) -> None:
        self.switch = switch
        self.key_file = switch.folder / "data" / "vault.key"
        self.sold: list[tuple[Json, str]] = []
        self.marked: list[tuple[str, Json, dict[str, str]]] = []
        self.pins: list[str] = []
        self.dump = b""

    async def sell(self) -> None:
        """Sold, sold twice, retried, confirmed, looked up, redeemed wrongly and rightly: whatever sees a code."""
        till = Till(self.switch, TILL)
        request = a_provision(product="SBXPIN")
        sold = await till.post("/vouchers", request)
        assert sold.status == 201
        code, pin = sold.code, sold.body["voucher"]["pin"]
        self.sold.append((request, code))
        self.pins.append(pin["pin"])
        assert (await till.post("/vouchers", request)).detail["voucher"]["code"] == code
        assert (await till.retry(request)).code == code
        assert (await till.confirm_voucher(request["id"])).status == 202
        assert (await till.lookup(voucherCode=code)).status == 200
        wrong = {"code": code, "pin": {"type": "CLEAR_PIN", "pin": WRONG_PIN}}
        assert (await till.post("/redemptions", a_redemption(code=code, voucher=wrong))).status == 400
        right = a_redemption(code=code, voucher={"code": code, "pin": pin})
        assert (await till.post("/redemptions", right)).status == 201
        assert (await till.confirm_redemption(right["id"])).status == 202

    async def sell_to_somebody(self) -> None:
        """To a person, by a cashier, on a slip: everything that is told about them, well and badly ended."""
        till = Till(self.switch, TILL)
        sale = self._marked("ProvisionRequest", a_provision(tenders=[cash(10_000)]))
        sold = await till.post("/vouchers", sale)
        assert sold.status == 201, sold
        assert sold.body["recipient"] == sale["recipient"], "all of it was taken in"
        assert (await till.post("/vouchers", sale)).status == 400
        confirmation = self._marked("TenderAdvice", a_tender_confirmation(sale["id"]))
        assert (await till.post("/vouchers/confirmations", confirmation)).status == 202
        redemption = self._marked("RedemptionRequest", a_redemption(code=sold.code))
        assert (await till.post("/redemptions", redemption)).status == 201
        again = self._marked("RedemptionRequest", a_redemption(code=sold.code))
        assert (await till.post("/redemptions", again)).status == 400
        assert (await till.confirm_redemption(redemption["id"])).status == 202
        refund = self._marked("RefundRequest", a_refund(code=sold.code))
        assert (await till.post("/refunds", refund)).status == 201
        assert (await till.confirm_refund(refund["id"])).status == 202
        doubtful = self._marked("ProvisionRequest", a_provision(tenders=[cash(10_000)]))
        await self.switch.simulator.fault("http", "provision", doubtful["id"], status=500)
        assert (await till.post("/vouchers", doubtful)).status == 504
        assert (await till.reverse_voucher(doubtful["id"])).status == 202
        too_long = a_provision()
        too_long["originator"]["operatorId"] = MARKS[0] * 5
        assert (await till.post("/vouchers", too_long)).status == 400

    def _marked(self, model: str, message: Json) -> Json:
        body, put = marked(model, message)
        self.marked.append((model, body, put))
        return body

    async def rotate(self) -> None:
        """Add a key by the command, as an operator does, and sell on until nothing is left under the old one."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("VOUCHERSWITCH_")}
        env |= {"DATABASE_URL": self.switch.database_url, "VOUCHERSWITCH_DATA_DIR": str(self.key_file.parent)}
        words = ("-m", "voucherswitch", "vault", "add-key")
        command = await asyncio.create_subprocess_exec(sys.executable, *words, env=env)
        assert await command.wait() == 0
        await eventually(self._sealed_anew, "everything sealed anew", within_s=60)

    async def _sealed_anew(self) -> bool:
        if len(self.sold) < SALES_MAX:
            await self.sell()
        finished = "SELECT count(*) FROM vault_sweep WHERE key_id = 2 AND finished_at IS NOT NULL"
        return bool(await self.switch.value(finished) == len(SEALED))

    async def taken(self) -> dict[str, bytes]:
        """What the thief has: a dump, the write-ahead log, and what every process logged."""
        program = str(find_programs() / "pg_dump")
        url = self.switch.database_url
        dumping = await asyncio.create_subprocess_exec(program, url, stdout=asyncio.subprocess.PIPE)
        self.dump, _ = await dumping.communicate()
        assert dumping.returncode == 0
        folder = self.switch.folder
        log = folder / "data" / "postgres" / "data" / "pg_wal"
        files = [*log.glob("0*"), *folder.glob("*.log"), *(folder / "data" / "logs").glob("*")]
        return {"dump": self.dump} | {str(file.relative_to(folder)): file.read_bytes() for file in files}


@pytest.fixture(scope="module")
async def loot() -> AsyncIterator[Loot]:
    async with Switch.start(workers=2, settings={"LOG_LEVEL": "debug", "LOG_FORMAT": "json"}) as switch:
        loot = Loot(switch)
        await loot.sell()
        await loot.sell_to_somebody()
        await loot.rotate()
        await loot.sell()
        await loot.sell_to_somebody()
        yield loot


def forms(secret: str) -> Iterator[bytes]:
    """A secret in other clothes: plain, in URLs, UTF-16, hexadecimal, and in base64 at each alignment."""
    plain = secret.encode()
    texts = {plain, quote(secret, safe="").encode(), *(secret.encode(f"utf-16-{end}") for end in ("le", "be"))}
    for text in texts:
        yield text
        yield text.hex().encode()
        yield text.hex().upper().encode()
        for before in range(3):
            encoded = base64.b64encode(bytes(before) + text)
            # Characters at both ends also hold bits of what stands before and behind.
            inner = encoded[-(-before * 8 // 6) : (before + len(text)) * 8 // 6]
            yield inner
            yield inner.translate(bytes.maketrans(b"+/", b"-_"))


@pytest.mark.parametrize("before", range(4))
def test_the_search_finds_a_secret_wherever_it_stands(before: int) -> None:
    """A search that finds nothing proves nothing by itself."""
    text = "x" * before + "9000000000001231" + "tail"
    for written in (
        text.encode(),
        text.encode("utf-16-le"),
        base64.b64encode(text.encode()),
        base64.urlsafe_b64encode(text.encode("utf-16-be")),
        text.encode().hex().encode(),
        text.encode().hex().upper().encode(),
    ):
        assert any(form in written for form in forms("9000000000001231"))


async def test_a_value_moved_to_another_row_is_not_told_to_its_new_owner(loot: Loot) -> None:
    """Who can write to the database copies the answer of a sale into a request of his own, and asks for it again.

    That is an error of ours, told in full in the log: the search that follows looks there too.
    """
    till = Till(loot.switch, TILL)
    victim, code = loot.sold[0]
    own = a_provision(product="SBXPIN")
    assert (await till.post("/vouchers", own)).status == 201
    read = "SELECT answer FROM transaction WHERE request_id = $1"
    change = "UPDATE transaction SET answer = $2 WHERE request_id = $1"
    before, stolen = [await loot.switch.value(read, UUID(request["id"])) for request in (own, victim)]
    await loot.switch.pool.execute(change, UUID(own["id"]), stolen)
    told = await till.retry(own)
    assert told.status == 500
    assert code not in str(told.body)
    await loot.switch.pool.execute(change, UUID(own["id"]), before)
    assert (await till.retry(own)).status == 201


async def test_no_code_no_pin_and_no_credential_is_in_dump_log_or_logs(loot: Loot) -> None:
    taken = await loot.taken()
    request, _ = loot.sold[-1]
    assert request["id"].encode() in taken["dump"], "the dump holds the sales"
    assert any(UUID(request["id"]).bytes in content for name, content in taken.items() if "pg_wal" in name)
    assert len(loot.sold) > 2
    # A PIN of four digits stands in any megabyte by chance: it is looked for where it would be said.
    said = [spoken for pin in loot.pins for spoken in (f'"pin":"{pin}"', f'"pin": "{pin}"', f'\\"pin\\":\\"{pin}\\"')]
    found = [
        (name, form)
        for secret in (*(code for _, code in loot.sold), *said, WRONG_PIN, SECRETS["api_key"])
        for form in set(forms(secret))
        for name, content in taken.items()
        if form in content
    ]
    assert found == []


async def test_nobody_is_named_in_dump_log_or_logs(loot: Loot) -> None:
    """Field by field, by what the interface lets nobody keep in clear (§2): customers, cashiers, cards, slips."""
    taken = await loot.taken()
    assert loot.marked[-1][1]["id"].encode() in taken["dump"]
    found = [
        (name, content[max(0, place - 200) : place + 100])
        for mark in MARKS
        for form in set(forms(mark))
        for name, content in taken.items()
        if (place := content.find(form)) >= 0
    ]
    assert found == []


async def test_what_may_be_kept_sealed_is_and_what_may_never_be_kept_is_not(loot: Loot) -> None:
    """So the search above looked for what is there."""
    vault = vault_of(loot.key_file)
    looked_at = set()
    for model, body, put in loot.marked:
        rows = await loot.switch.rows("SELECT request FROM transaction WHERE request_id = $1", UUID(body["id"]))
        if not rows:
            continue  # an advice, or refused before there was a record
        kept = vault.open(rows[0]["request"], TRANSACTION.context("request", UUID(body["id"]), 0)).decode()
        never = {row.path for row in discreet_rows(model) if row.code == "N"}
        assert {path for path, value in put.items() if value in kept} == put.keys() - never
        looked_at.add(model)
    assert looked_at == {"ProvisionRequest", "RedemptionRequest", "RefundRequest"}


async def test_the_keys_are_nowhere_but_in_their_file(loot: Loot) -> None:
    taken = await loot.taken()
    for line in loot.key_file.read_text().splitlines()[1:]:
        key = base64.b64decode(line.partition(":")[2])
        for form in (key, key.hex().encode(), line.partition(":")[2].encode()):
            assert [name for name, content in taken.items() if form in content] == []


async def test_what_was_sold_before_the_rotation_is_answered_after_it_and_needs_the_old_key_no_more(loot: Loot) -> None:
    """And every sale on the way had its answer: `sell` looks at each."""
    request, code = loot.sold[0]
    assert (await Till(loot.switch, TILL).retry(request)).code == code
    keys = vault_of(loot.key_file)._keys
    newest = Vault(Keyring({2: keys.sealing[2]}, keys.finder))
    for request, code in loot.sold:
        row = await loot.switch.rows("SELECT answer FROM transaction WHERE request_id = $1", UUID(request["id"]))
        context = TRANSACTION.context("answer", UUID(request["id"]), 0)
        assert code.encode() in newest.open(row[0]["answer"], context)
        assert await loot.switch.rows("SELECT FROM voucher WHERE fingerprint = $1", newest.fingerprint(code))
