"""Through all eleven providers with secrets that can be recognised: none of them is kept or shown anywhere (§2, B.9).

Sold, sold again, retried, confirmed, looked up, redeemed, reversed; refused with the secret quoted in free text, cut,
answered in nonsense, with the whole request echoed, and not at all. Then everything that was written is searched.
"""

import asyncio
import json
from base64 import b64encode
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack
from typing import Any, Final
from urllib.parse import quote
from urllib.request import urlopen
from xml.sax.saxutils import escape

import duckdb
import pytest
from msgspec import Struct
from typer.testing import CliRunner

from console.console_support import serving
from every_provider.board import BRANDS, IMPATIENT, NAMES, SOLD
from support.client import Answer
from support.messages import MOBITALK, Json, a_provision, a_redemption, a_tender_confirmation, rand
from support.originators import TILL
from support.ports import free_port
from support.providers import SECRETS
from support.secret_search import LONG, found_in
from support.simulator import SimulatorControl
from support.switch import Switch
from support.till import Till
from support.waiting import eventually
from voucherswitch.catalogue.sandbox import load_brand
from voucherswitch.cli.main import app
from voucherswitch.journal.archive.run import Archiver, Policy
from voucherswitch.providers import registry
from voucherswitch.providers.contract.capabilities import Support
from voucherswitch.providers.contract.settings import secret_keys

SANDBOX: Final = "sandbox"
CENTS: Final = 10_000
PERSON: Final = {
    "firstName": "Nomathembisa",
    "lastName": "Secretperson",
    "emailAddress": "nomathembisa@secret.example",
    "dateOfBirth": "1961-07-18T00:00:00.000Z",
    "address": "8115 Vilakazi Str\u00e9\u00e9t",
    "addressDetails": {
        "addressLine1": "8115 Vilakazi Str\u00e9\u00e9t",
        "city": "Sowetoville",
        "postalCode": "ZQ18-04X",
    },
    "profileId": "PROFILE-66-SECRET",
}
CARD: Final = "4987654321098765"
TYPED_PIN: Final = "918273645546372819"
CASHIER: Final = "CASHIER-NOSIPHO"
# Who is told who asked, and where: nobody else could quote him.
TOLD_CASHIERS: Final = {"ott": ("provision", "reverse"), "yoyo": ("redeem",)}

Secrets = Mapping[str, set[str]]

pytestmark = pytest.mark.timeout(240)  # one fixture does everything; alone it takes 25 s


class Seen(Struct):
    """What was played, and everything that was written of it: place -> text."""

    secrets: Secrets
    msisdns: dict[str, str]
    ids: list[str]
    quoted: list[str]
    places: dict[str, str]


class Play:
    """One provider, and what is done with it."""

    def __init__(self, number: int, name: str, till: Till, control: SimulatorControl, credentials: set[str]) -> None:
        self.name, self.till, self.control = name, till, control
        self.credentials = credentials
        self.msisdn = f"+2782{5550140 + number * 7:07d}"
        self.secrets: dict[str, set[str]] = defaultdict(set)
        self.ids: list[str] = []
        self.refusals: list[Answer] = []

    @property
    def receiver(self) -> Json:
        if self.name == SANDBOX:
            return MOBITALK
        return {"id": BRANDS[self.name].receiver.id, "name": BRANDS[self.name].receiver.name}

    def cashier(self, op: str) -> str:
        """The beginning of a sentence that quotes him."""
        return f"{CASHIER} may not do that. " if op in TOLD_CASHIERS.get(self.name, ()) else ""

    def request(self) -> Json:
        """A sale to somebody, paid by card."""
        product = "SBXPIN" if self.name == SANDBOX else SOLD[self.name]
        card = {"amount": rand(CENTS), "tenderType": "CREDIT_CARD", "cardNumber": CARD, "reference": "SLIP-000123"}
        request = a_provision(product=product, cents=CENTS, receiver=self.receiver, tenders=[card])
        request["recipient"] = PERSON | {"msisdn": self.msisdn}
        request["originator"]["operatorId"] = CASHIER
        self.ids.append(request["id"])
        return request

    def redemption(self, code: str, pin: Json | None = None) -> Json:
        voucher = {"code": code} | ({} if pin is None else {"pin": pin})
        request = a_redemption(code=code, cents=CENTS, receiver=self.receiver, voucher=voucher)
        request["customer"] = PERSON | {"msisdn": self.msisdn}
        request["originator"]["operatorId"] = CASHIER
        self.ids.append(request["id"])
        return request

    async def fault(self, kind: str, op: str, **params: Any) -> None:
        """Disturb the next call of an operation, if the provider has it."""
        await self.control.clear_faults()
        if getattr(registry.capabilities(self.name), op) is Support.NATIVE:
            await self.control.order(kind, op, **params)

    async def knows(self, request_id: str) -> None:
        """Whatever the provider has issued for a request is secret, whether we were told or not."""
        voucher = await self.control.voucher(reference=request_id)
        if voucher is not None:
            self.secrets["code"].add(str(voucher["code"]))
            self.secrets["pin"].update(filter(None, [voucher.get("pin")]))

    def quoting(self, code: str, op: str) -> Json:
        """An answer that quotes everything, in every place and form that we could think of."""
        raw = f"{code}"
        credentials = " ".join(sorted(self.credentials))
        request = f"POST /x HTTP/1.1\nAuthorization: Basic {credentials}\n\npin={code}&mobile={self.msisdn}"
        text = f"{self.cashier(op)}Voucher {code} of {self.msisdn} was refused"
        return {
            "success": "false", "errorCode": "1", "responseCode": 1, "resultCode": "1", "code": raw, "message": text,
            "error": {"code": code, "message": text, "details": [text, code]}, "errors": [code, {"reason": text}],
            "detail": text, "title": text, "type": f"https://provider.example/problems/{code}", "reason": text,
            "responseMessage": text, "responseDesc": text, "resultText": text, "reference": code, "serial": code,
            "echo": request, "headers": {"Authorization": f"Basic {credentials}", "X-Api-Key": credentials},
            "encoded": b64encode(code.encode()).decode(), "digits": code.encode().hex(), "unknown": code,
            "mobile": self.msisdn, "customer": {"name": PERSON["lastName"], "email": PERSON["emailAddress"]},
            "newPinField": code, "list": [[code], {"any": {"thing": code}}], "number": int(self.msisdn[1:]),
        }  # fmt: skip

    def quoting_xml(self, code: str) -> str:
        """The same for those who speak XML."""
        text = f"Voucher {code} of {self.msisdn} was refused"
        echo = f'<Echo pin="{code}" other="{code}"><New>{code}</New>{code}<Msisdn>{self.msisdn}</Msisdn></Echo>'
        credentials = "".join(f"<Header>{one}</Header>" for one in sorted(self.credentials))
        return (
            f"<response><EventType>x</EventType><event><EventCode>1</EventCode></event><data><ErrorCode>1</ErrorCode>"
            f"<ErrorText>{text}</ErrorText></data><ResultCode>99</ResultCode><ResultText>{text}</ResultText>"
            f"<Code>{code}</Code><faultstring>{text}</faultstring>{echo}{credentials}<Serial>{code}</Serial></response>"
        )

    def bodies(self, code: str, op: str) -> Iterator[Any]:
        """Answers that quote: in the provider's form, and as something on the way would."""
        if self.name in ("stellr", "netcare", "bluvoucher"):
            yield self.quoting_xml(code)
        else:
            yield self.quoting(code, op)
        yield f"<html>{json.dumps(self.quoting(code, op))}</html>"

    async def run(self) -> None:
        """All of it, one after the other."""
        till = self.till
        request = self.request()
        sold = await till.post("/vouchers", request)
        assert sold.status == 201, (self.name, sold)
        await self.knows(request["id"])
        code = sold.code
        self.secrets["code"].add(code)
        self.refusals.append(await till.post("/vouchers", request))
        await till.retry(request)
        card = {"amount": rand(CENTS), "tenderType": "CREDIT_CARD", "cardNumber": CARD}
        confirmed = await till.post("/vouchers/confirmations", a_tender_confirmation(request["id"], tenders=[card]))
        assert confirmed.status == 202
        for op in ("lookup", "redeem"):
            for body in self.bodies(code, op):
                for status in (400, 500):
                    await self.fault("http", op, status=status, body=body)
                    if op == "lookup":
                        self.refusals.append(await till.lookup(voucherCode=code, receiverInstId=self.receiver["id"]))
                    else:
                        self.refusals.append(await till.post("/redemptions", self.redemption(code)))
        await self._sales_that_fail()
        await self.control.clear_faults()
        await till.lookup(voucherCode=code, receiverInstId=self.receiver["id"])
        wrong = self.redemption(code, {"type": "CLEAR_PIN", "pin": TYPED_PIN})
        self.refusals.append(await till.post("/redemptions", wrong))
        pin = sold.body["voucher"].get("pin")
        redemption = self.redemption(code, pin)
        redeemed = await till.post("/redemptions", redemption)
        if redeemed.status == 201:
            await till.confirm_redemption(redemption["id"])
            await till.refund(code)
        self.refusals.append(await till.post("/redemptions", self.redemption(code, pin)))
        await self._a_reversal()
        self.secrets["telephone"].update({self.msisdn[1:], self.msisdn[3:]})
        self.secrets["credential"].update(self.credentials)

    async def _sales_that_fail(self) -> None:
        faults: list[tuple[str, Json]] = [("malformed", {}), ("truncate", {}), ("wrong_amount", {}), ("drop_after", {})]
        for body in self.bodies(next(iter(self.secrets["code"])), "provision"):
            faults += [("http", {"status": 400, "body": body}), ("http", {"status": 500, "body": body})]
        for kind, params in faults:
            request = self.request()
            await self.fault(kind, "provision", **params)
            answer = await self.till.post("/vouchers", request)
            self.refusals.append(answer)
            await self.knows(request["id"])
            await self.control.clear_faults()
            await self.till.reverse_voucher(request["id"])

    async def _a_reversal(self) -> None:
        request = self.request()
        sold = await self.till.post("/vouchers", request)
        assert sold.status == 201, (self.name, sold)
        await self.knows(request["id"])
        await self.fault("http", "reverse", status=500, body=next(self.bodies(sold.code, "reverse")))
        await self.till.reverse_voucher(request["id"])
        await self.till.retry(request)


@pytest.fixture(scope="module")
async def seen() -> AsyncIterator[Seen]:
    """All providers are played through at the same time; then everything is gathered."""
    settings = {"LOG_LEVEL": "debug", "WORKER_METRICS_PORT": str(metrics := free_port())}
    async with AsyncExitStack() as stack:
        switch = await stack.enter_async_context(Switch.start(settings=settings))
        plays = await _plays(stack, switch)
        await asyncio.gather(*(play.run() for play in plays))
        everything: dict[str, set[str]] = defaultdict(set)
        for play in plays:
            for what, values in play.secrets.items():
                everything[what] |= {value for value in values if len(value) >= LONG}
        everything["person"] |= {
            "Nomathembisa",
            "Secretperson",
            "nomathembisa@secret.example",
            "Vilakazi",
            "Sowetoville",
        }
        everything["person"] |= {"1961-07-18", "ZQ18-04X", "PROFILE-66-SECRET"}
        everything["card"] |= {CARD}
        everything["cashier"] |= {CASHIER}
        everything["typed PIN"] |= {TYPED_PIN}
        everything["password"] |= {TILL.password, b64encode(f"{TILL.id}:{TILL.password}".encode()).decode()}
        found = Seen(
            secrets=everything,
            msisdns={play.name: play.msisdn for play in plays},
            ids=[one for play in plays for one in play.ids],
            quoted=[play.ids[1] for play in plays],  # the first redemption, which was refused with its code quoted
            places={},
        )
        found.places["refusals"] = "\n".join(
            json.dumps({key: value for key, value in (answer.body or {}).items() if key != "detailMessage"})
            for play in plays
            for answer in play.refusals
            if answer.status >= 400
        )
        await _gather(switch, metrics, found)
        yield found


async def _plays(stack: AsyncExitStack, switch: Switch) -> list[Play]:
    till = Till(switch, TILL)
    plays = [Play(0, SANDBOX, till, switch.simulator, set(SECRETS.values()))]
    async with switch.pool.acquire() as connection:
        for number, name in enumerate(NAMES, 1):
            simulator = await stack.enter_async_context(registry.simulator(name)())
            control = SimulatorControl(simulator.url, simulator.control_url)
            stack.push_async_callback(control.close)
            settings = dict(registry.kit_profile(name).settings(simulator))
            secrets = {key: value for key, value in settings.items() if isinstance(value, str) and "url" not in key}
            plain = {key: value for key, value in settings.items() if key not in secrets} | IMPATIENT
            await load_brand(connection, switch.vault, BRANDS[name], settings=plain, secrets=secrets)
            keys = secret_keys(registry.settings_type(name))
            credentials = {value for key, value in secrets.items() if key in keys and len(value) >= LONG}
            plays.append(Play(number, name, till, control, credentials))

    async def listed() -> bool:
        products = (await till.get("/products")).body["products"]
        return BRANDS[NAMES[-1]].products[-1].id in {product["productId"] for product in products}

    await eventually(listed, "the brands in the worker's catalogue")
    return plays


async def _gather(switch: Switch, metrics: int, seen: Seen) -> None:
    """Read everything that was written, and every page and command that shows it."""

    async def quiet() -> bool:
        return not await switch.rows(
            "SELECT 1 FROM advice WHERE state = 1 AND next_attempt_at < now() AND attempts = 0"
        )

    await eventually(quiet, "every advice to have been tried", within_s=20)
    seen.places["metrics"] = await asyncio.to_thread(_read, f"http://127.0.0.1:{metrics}/metrics")
    seen.places["legs"] = "\n".join(
        row["line"] for row in await switch.rows("SELECT row_to_json(l)::text AS line FROM leg AS l")
    )
    async with serving(switch.database_url) as console:
        paths = ["/", "/transactions", "/saf"]
        paths += [f"/transactions/{request_id}" for request_id in (*seen.quoted, *seen.ids[::9])]
        pages = [await console.get(path) for path in paths]
        assert {page.status for page in pages} == {200}
        seen.places["console"] = "\n".join(page.body for page in pages)
    seen.places["explain"] = await asyncio.to_thread(_explained, switch, seen.quoted)
    await _gather_tables(switch, seen)
    seen.places["archive"] = await _archived(switch)
    logs = [*switch.folder.glob("*.log"), switch.folder / "data" / "logs" / "postgres.log"]
    seen.places["logs"] = "\n".join(path.read_text(errors="replace") for path in logs)
    assert len(logs) >= 4


async def _gather_tables(switch: Switch, seen: Seen) -> None:
    tables = await switch.rows(
        "SELECT relname AS name FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"
    )
    for table in tables:
        rows = await switch.rows(f'SELECT t::text AS line FROM "{table["name"]}" AS t')
        seen.places[f"table {table['name']}"] = "\n".join(row["line"] for row in rows)


async def _archived(switch: Switch) -> str:
    """The archive's files, once everything is old enough to be there."""
    old = "interval '2000 days'"
    await switch.pool.execute(f"UPDATE transaction SET opened_at = opened_at - {old}, changed_at = changed_at - {old}")
    await switch.pool.execute(f"UPDATE voucher SET changed_at = changed_at - {old}")
    await switch.pool.execute(f"UPDATE advice SET finished_at = finished_at - {old}")
    await switch.pool.execute(f"UPDATE transaction SET call_until = call_until - {old}")
    root = switch.folder / "archive"
    async with switch.pool.acquire() as connection:
        await Archiver(connection, root, Policy(closed_days=180, voucher_days=180)).run()
    rows = [
        duckdb.connect().execute("SELECT t::text FROM read_parquet(?) AS t", [str(path)])
        for path in root.rglob("*.parquet")
    ]
    return "\n".join(text for found in rows for (text,) in found.fetchall())


def _explained(switch: Switch, ids: list[str]) -> str:
    env = {"VOUCHERSWITCH_DATA_DIR": str(switch.folder / "data"), "DATABASE_URL": switch.database_url}
    runner = CliRunner()
    results = [runner.invoke(app, ["explain", *given], env=env) for given in ([], *([one, "--full"] for one in ids))]
    assert {result.exit_code for result in results} == {0}
    return "\n".join(result.output for result in results)


def _read(url: str) -> str:
    with urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())


PLACES: Final = ("refusals", "metrics", "legs", "console", "explain", "archive", "logs")


@pytest.mark.parametrize("place", PLACES)
async def test_no_secret_is_shown(seen: Seen, place: str) -> None:
    assert len(seen.places[place]) > 200
    assert found_in(seen.places[place], seen.secrets) == []


async def test_no_table_holds_a_secret(seen: Seen) -> None:
    """Every column of every row, bytes as hexadecimal digits: what is sealed there reads as nothing."""
    tables = {name: text for name, text in seen.places.items() if name.startswith("table ")}
    assert len(tables) > 15
    assert {name: found for name, text in tables.items() if (found := found_in(text, seen.secrets))} == {}


async def test_what_may_be_seen_is_there(seen: Seen) -> None:
    """So the search looked where the secrets would have been."""
    legs = seen.places["legs"]
    assert all(f"***{number[-4:]}" in legs for number in seen.msisdns.values())
    assert "498765******8765" in legs
    assert {"stellr", "netcare", "ott", "yoyo", "flash", SANDBOX} <= {
        name for name in (*NAMES, SANDBOX) if f'"peer":"{name}"' in legs
    }
    assert len(seen.secrets["code"]) >= 4 * len(seen.msisdns)
    for place in ("legs", "console", "explain"):
        assert any(request_id in seen.places[place] for request_id in seen.quoted)
        assert "***" in seen.places[place]


@pytest.mark.parametrize("around", ["{}", "x={}&y", "ab{}", '{{"a":"{}"}}'])
def test_the_search_finds_a_secret_in_every_form(around: str) -> None:
    """The canary of the tests above."""
    secret = '7712-34 <56>&"78'
    raw = around.format(secret).encode()
    texts = {
        "plain": raw.decode(), "base64": b64encode(raw).decode(), "hex": raw.hex(), "HEX": raw.hex().upper(),
        "url": quote(raw.decode()), "json": json.dumps(raw.decode()), "xml": escape(raw.decode()),
    }  # fmt: skip
    assert {name for name, text in texts.items() if found_in(f"..{text}..", {"code": [secret]})} == set(texts)
    assert found_in("7712-34 <56", {"code": [secret]}) == []
