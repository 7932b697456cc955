"""A customer who writes code where words belong: SQL, log lines, terminal commands, markup, paths, headers.

The fields are those of the published document, so a field that is added tomorrow is attacked tomorrow. Each hostile
text is either refused with 400 or kept exactly as it was sent; nobody from the till to the operator runs it.
"""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final, NamedTuple
from urllib.parse import quote
from uuid import UUID

import msgspec
import pytest

from console.console_support import serving
from support.certificates import ClientTls
from support.client import BASE, Answer, Client
from support.interface_examples import sample
from support.messages import MOBITALK, Json, a_client, a_till, applied, changed, new_id, now, rand, references
from support.originators import Originator
from support.processes import Process
from support.switch import Switch
from support.till import Till
from voucherswitch.security.sealed import REQUEST, transaction_context

MALLORY: Final = Originator("30000666", {"redemption": True, "product_lookup": True})

HOSTILE: Final = {
    "drop": "'; DROP TABLE transaction; --",
    "or": "' OR '1'='1",
    "double quote": '"; DELETE FROM originator; --',
    "dollar": "$1 $$; SELECT pg_sleep(9); $$",
    "percent": "%s %(x)s %n {0} {x.__class__}",
    "backslash": "\\'; SELECT 1 --\\",
    "new line": "x\n2026-11-23T10:00:00Z [error    ] FORGED",
    "log object": 'x\r\n{"event": "FORGED", "level": "error"}',
    "terminal": "\x1b[2J\x1b]0;FORGED\x07\x08",
    "direction": "\u202eDEGROF\u2066",
    "separator": "x\u2028\u2029\x85FORGED",
    "NUL": "x\0FORGED",
    "script": "<script>alert(`FORGED`)</script>",
    "attribute": "\"'><img src=x onerror=alert(1)>",
    "template": "{{7*7}}${7*7}{% include '/etc/passwd' %}#{7*7}",
    "formula": '=HYPERLINK("http://evil.example","x")',
    "command": "$(touch FORGED)`touch FORGED`|touch FORGED",
    "path": "../../../../etc/passwd",
    "encoded path": "..%2f..%2f%00",
    "url": "file:///etc/passwd",
    "header": "x\r\nSet-Cookie: FORGED=1\r\n\r\n<html>",
    "XML": "]]><!DOCTYPE x SYSTEM 'file:///etc/passwd'>&x;",
    "overlong": "A" * 5_000,
    "emoji": "👩‍👩‍👧‍👦\U000e0041\ufeff\u200b",
}
# The worst of them in one, for every field by itself.
WORST: Final = "'\"><b>\x1b[1m\n\u202e{{1}}$1--"
# These say which provider is asked, or for what: whatever is in them is refused.
ROUTING: Final = re.compile(r"(client|receiver|settlementEntity)\.id|product\.(productId|receiver\.id)|voucher\.code")


class Leaf(NamedTuple):
    """A field that holds a text. `way` are objects that must be there before: path and a value that makes them."""

    path: str
    schema: Json
    way: tuple[tuple[str, Json], ...]

    @property
    def is_free(self) -> bool:
        """Whether any text of its length is allowed."""
        return not {"pattern", "format", "enum", "const"} & set(self.schema)

    def fitting(self, text: str) -> str:
        """A text cut or repeated to the length that the document allows."""
        text = text[: self.schema.get("maxLength", 255)]
        return text.ljust(self.schema.get("minLength", 0), "x")


class Operation(NamedTuple):
    """An operation that takes a message."""

    path: str
    message: str
    leaves: tuple[Leaf, ...]


def leaves(schema: Json, schemas: Json, path: str = "", way: tuple[tuple[str, Json], ...] = ()) -> Iterator[Leaf]:
    """Every text below a schema of the document, by its path."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rsplit("/", 1)[1]]
    for member in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        name = member.get("$ref", "").rsplit("/", 1)[-1]
        kind = ((path, sample(name)),) if name.startswith("Pin") and name in PINS else ()
        yield from leaves(member, schemas, path, (*way, *kind))
    kinds = schema.get("type", "")
    if "string" in kinds:
        yield Leaf(path, schema, way)
    for name, field in schema.get("properties", {}).items():
        yield from leaves(field, schemas, f"{path}.{name}".lstrip("."), way)
    if isinstance(schema.get("additionalProperties"), dict):
        yield from leaves(schema["additionalProperties"], schemas, f"{path}.tip", way)
    if "items" in schema:
        yield from leaves(schema["items"], schemas, f"{path}[0]", way)


PINS: Final = ("PinClear", "PinEncrypted", "PinHashed")


@pytest.fixture(scope="module")
async def victim(switch: Switch) -> AsyncIterator[tuple[Client, Process]]:
    """A worker that logs all there is for a log store."""
    await switch.add_originator(MALLORY)
    async with switch.lone_worker(LOG_FORMAT="json", LOG_LEVEL="debug") as worker:
        yield worker


@pytest.fixture(scope="module")
async def mallory(switch: Switch, victim: tuple[Client, Process]) -> Till:
    """The customer, at that worker."""
    return Till(switch, MALLORY, victim[0])


@pytest.fixture(scope="module")
async def undocumented(switch: Switch, victim: tuple[Client, Process]) -> AsyncIterator[Client]:
    """A client of that worker that does not hold answers against the document."""
    client = Client(victim[0].root, tls=ClientTls(switch.authority.path))
    yield client
    await client.close()


@pytest.fixture(scope="module")
async def document(switch: Switch) -> Json:
    """The document as it is published."""
    published: Json = (await switch.client.send("GET", "/openapi.json", by=None)).body
    return published


@pytest.fixture(scope="module")
def operations(document: Json) -> list[Operation]:
    """Every operation that takes a message, with every text in it."""
    schemas = document["components"]["schemas"]
    found = []
    for path, methods in document["paths"].items():
        if "post" in methods:
            schema = methods["post"]["requestBody"]["content"]["application/json"]["schema"]
            found.append(Operation(path, schema["$ref"].rsplit("/", 1)[1], tuple(leaves(schema, schemas))))
    return found


async def a_message(till: Till, operation: Operation) -> Json:
    """A message with everything in it that the document knows, about something real where it is about something."""
    by = till.by
    full = sample(operation.message) | {"id": new_id(), "time": now(), "thirdPartyIdentifiers": references(by)}
    amounts = full["amounts"] | {"requestAmount": rand(10_000)}
    if "requestId" in full:
        return full | {"requestId": new_id(), "amounts": amounts}
    full |= {"originator": a_till() | {"channelId": "x"}, "client": a_client(by), "receiver": MOBITALK}
    full |= {"amounts": amounts}
    if operation.message == "ProvisionRequest":
        product = full["product"] | {"productId": "SBXANY", "receiver": MOBITALK}
        return applied(full | {"product": product, "tenders": [full["tenders"][0] | {"amount": rand(10_000)}]}, {})
    return full


def with_text(message: Json, leaf: Leaf, text: str) -> Json:
    """The message with a text in one field."""
    for path, value in leaf.way:
        message = changed(message, path, value)
    return changed(message, leaf.path, text)


async def send(till: Till, operation: Operation, message: Json) -> Answer:
    """Send it to where it belongs."""
    return await till.post(operation.path.replace("{provisionId}", str(message["id"])), message)


async def census(switch: Switch) -> dict[str, Any]:
    """The tables of the database, what they are made of, and how many rows there are of what Mallory must not touch."""
    columns = await switch.rows(
        "SELECT table_name, column_name, data_type FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name NOT LIKE 'leg\\_%' ORDER BY 1, 2"
    )
    counts = {
        table: await switch.value(f"SELECT count(*) FROM {table}")
        for table in ("originator", "product", "route", "provider", "voucher_provider")
    }
    others = "SELECT count(*) FROM transaction WHERE originator_id <> $1"
    return {
        "columns": [tuple(row) for row in columns],
        "counts": counts,
        "others": await switch.value(others, MALLORY.id),
    }


async def kept(switch: Switch, request_id: str) -> Json | None:
    """The request as the journal keeps it, opened."""
    record = await switch.record(request_id)
    if record is None or record["request"] is None:
        return None
    context = transaction_context(UUID(request_id), record["generation"], REQUEST)
    opened: Json = msgspec.json.decode(switch.vault.open(record["request"], context))
    return opened


def at(message: Json, path: str) -> Any:
    """A value in a message by its path; None where there is none."""
    value: Any = message
    for step in re.findall(r"[^.\[\]]+", path):
        if isinstance(value, list):
            value = value[int(step)] if int(step) < len(value) else None
        elif isinstance(value, dict):
            value = value.get(step)
    return value


async def test_the_document_names_every_text_of_every_message(operations: list[Operation]) -> None:
    """The attack below is as good as this list."""
    assert {operation.message for operation in operations} >= {
        "ProvisionRequest", "RedemptionRequest", "RefundRequest", "BasicAdvice", "BasicReversal", "TenderAdvice",
    }  # fmt: skip
    provision = next(operation for operation in operations if operation.path == "/vouchers")
    paths = {leaf.path for leaf in provision.leaves}
    assert len(paths) > 70
    assert {"basketRef", "originator.merchant.merchantName.city", "recipient.addressDetails.addressLine1"} <= paths
    assert {"voucher.pin.hash", "slipData.messageLines[0].text", "amounts.additionalAmounts.tip.currency"} <= paths


async def test_a_hostile_text_in_any_field_is_refused_or_kept_as_it_was_sent(
    switch: Switch, mallory: Till, operations: list[Operation]
) -> None:
    """Each text field of each message by itself."""
    before = await census(switch)

    async def attack(operation: Operation, leaf: Leaf) -> tuple[str, Leaf, Json, Answer]:
        message = with_text(await a_message(mallory, operation), leaf, leaf.fitting(WORST))
        return operation.message, leaf, message, await send(mallory, operation, message)

    tries = [(operation, leaf) for operation in operations for leaf in operation.leaves]
    done = []
    for start in range(0, len(tries), 16):
        done += await asyncio.gather(*(attack(*each) for each in tries[start : start + 16]))

    assert [
        (name, leaf.path, answer) for name, leaf, _, answer in done if answer.status not in (201, 202, 400, 404)
    ] == []
    kept_as_sent = 0
    for name, leaf, message, answer in done:
        found = await kept(switch, message["id"]) if answer.status == 201 and leaf.is_free else None
        if found is not None and at(found, leaf.path) is not None:  # a PIN is not kept at all
            assert at(found, leaf.path) == at(message, leaf.path), (name, leaf.path)
            kept_as_sent += 1
    assert kept_as_sent > 20
    assert await census(switch) == before


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
async def test_every_hostile_text_in_every_free_field_at_once(
    switch: Switch, mallory: Till, operations: list[Operation], text: str
) -> None:
    before = await census(switch)
    for operation in operations:
        message = await a_message(mallory, operation)
        for leaf in operation.leaves:
            if leaf.is_free and not ROUTING.fullmatch(leaf.path) and not leaf.way:
                message = with_text(message, leaf, leaf.fitting(text))

        answer = await send(mallory, operation, message)

        assert answer.status in (201, 202, 400, 404), answer
        if operation.path == "/vouchers":
            unprintable = "\0" in text
            assert answer.status == (400 if unprintable else 201), answer
            if not unprintable:
                found = await kept(switch, message["id"])
                assert found is not None
                assert found["basketRef"] == message["basketRef"] == text[:255]
                assert answer.body["basketRef"] == text[:255]
    assert await census(switch) == before


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
async def test_a_hostile_text_in_a_url_is_refused_or_finds_nothing(
    switch: Switch, undocumented: Client, document: Json, text: str
) -> None:
    """Every path and query parameter of the document, and the path itself; no header can be smuggled into an answer."""
    before = await census(switch)
    text = text[:1_500]
    anywhere = Till(switch, MALLORY, undocumented)  # what leads to no operation has an answer of its own
    for path, methods in document["paths"].items():
        if "get" not in methods:
            continue
        for parameter in methods["get"].get("parameters", ()):
            name = parameter.get("name") or parameter["$ref"].rsplit("/", 1)[1]
            query = {} if parameter.get("in") == "path" else {name: text}
            asked = re.sub(r"\{[^}]+\}", quote(text, safe=""), path)
            answer = await anywhere.get(asked, **query)
            assert answer.status in (200, 400, 404), (asked, query, answer)
            assert "set-cookie" not in answer.headers
    for asked in (f"/vouchers/{quote(text, safe='')}/retry", f"/{quote(text)}", f"/vouchers{quote(text, safe='')}"):
        answer = await anywhere.post(asked, {})
        assert answer.status in (400, 404, 405), (asked, answer)
        assert "set-cookie" not in answer.headers
    assert await census(switch) == before


async def test_a_hostile_header_reaches_nobody(switch: Switch, mallory: Till) -> None:
    """What a header says is never repeated; one that would break a line is no HTTP."""
    for value in (HOSTILE["drop"], HOSTILE["script"], HOSTILE["template"], "x" * 4_000):
        for name in ("user-agent", "x-request-id", "referer", "origin", "accept-language", "traceparent"):
            answer = await mallory.client.send("GET", f"{BASE}/products", by=MALLORY, headers={name: value})
            assert answer.status == 200
            assert value not in answer.raw.decode() + json.dumps(dict(answer.headers))


async def test_no_line_of_a_log_is_somebody_elses(switch: Switch, victim: tuple[Client, Process]) -> None:
    """After all of the above: one object a line, and no line at all that was not ours."""
    client, process = victim
    for user in (HOSTILE["new line"], HOSTILE["log object"], HOSTILE["direction"], WORST):
        stranger = Originator(user.replace(":", ""), password="x")
        assert (await client.get("/products", by=stranger)).status == 401

    lines = process.text().splitlines()
    told = [json.loads(line) for line in lines]
    assert all(isinstance(one, dict) and one["logger"] and one["timestamp"] for one in told)
    assert [one for one in told if one["event"] == "FORGED"] == []
    for running in (*switch.workers, *switch.senders):  # these log for a person
        assert [line for line in running.text().split("\n") if not line.isprintable()] == []
        assert [line for line in running.text().split("\n") if "[error    ] FORGED" in line[:60]] == []


async def test_operators_see_what_was_sent_and_run_none_of_it(
    switch: Switch, mallory: Till, operations: list[Operation]
) -> None:
    """The pages of the console and the words of `explain`, of sales with every hostile text in every field."""
    operation = next(one for one in operations if one.path == "/vouchers")
    async with serving(switch.database_url) as console:
        for text in HOSTILE.values():
            message = await a_message(mallory, operation)
            for leaf in operation.leaves:
                if leaf.is_free and not ROUTING.fullmatch(leaf.path) and not leaf.way:
                    message = with_text(message, leaf, leaf.fitting(text))
            if (await send(mallory, operation, message)).status != 201:
                continue
            for path in (f"/transactions/{message['id']}", "/transactions", "/"):
                page = await console.get(path)
                assert page.status == 200
                assert not re.search(r"<script>|<img src=x|49\$\{|\x1b|\u202e|\x00", page.body)
                assert "script-src 'self'" in page.headers["content-security-policy"]
    told = await asyncio.to_thread(explained, switch, str(message["id"]))
    assert told.isprintable() or all(line.isprintable() for line in told.splitlines())


def explained(switch: Switch, request_id: str) -> str:
    """What `voucherswitch explain ID --full` prints."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "voucherswitch.cli.main",
            "--data-dir",
            str(switch.folder / "data"),
            "explain",
            request_id,
            "--full",
        ],
        env={"PATH": os.environ["PATH"], "DATABASE_URL": switch.database_url},
        cwd=switch.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
