"""The scenarios of the load generator against a server that answers as told; the rest is in tests/journal."""

import json
import sys
from collections import Counter
from pathlib import Path
from uuid import UUID

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the benchmark is not part of the installed package

from bench.effects import EFFECTS, expected
from bench.errors import BenchError
from bench.load import generate
from bench.measurement import Measurement
from bench.provision import REQUEST
from bench.scenarios import (
    DEALT,
    SCENARIOS,
    STOCK,
    Desk,
    Operation,
    UnreadableAnswerError,
    code_in,
    identifiers_in,
    till_of,
)
from bench.wire import Address, Form, Question, fresh_id

from unit.test_bench_load import Answer, http, server
from voucherswitch.message.states import Kind, State

THIRD = [{"institutionId": "1", "transactionIdentifier": "A"}, {"institutionId": "2", "transactionIdentifier": "SBX1"}]
ADDRESS = Address("127.0.0.1", 80, user="u", password="p")


async def run(scenario: str, answer: Answer, seconds: float = 0.2) -> tuple[Measurement, list[dict[str, object]]]:
    async with server(answer) as (url, received):
        measured = await generate(
            url, user="u", password="p", connections=2, seconds=seconds, warmup=0.0, scenario=scenario
        )
        return measured, received


def sold_or_advised(_: int, body: dict[str, object]) -> list[bytes]:
    if "requestId" in body:
        return [http(202, json.dumps(body).encode())]
    said = {"id": body["id"], "thirdPartyIdentifiers": THIRD, "voucher": {"code": "9000000000001231"}}
    return [http(201, json.dumps(said, separators=(",", ":")).encode())]


def test_every_operation_says_what_it_leaves_in_the_books() -> None:
    operations = [one.name for one in vars(Desk(ADDRESS)).values() if isinstance(one, Operation)]

    assert sorted(operations) == sorted(EFFECTS)


def test_what_the_answers_must_have_left_is_summed_up() -> None:
    wanted = expected({"provision": 10, "confirm provision": 4, "provision in doubt": 3, "retry": 1, "redeem": 2})

    assert wanted.records == {
        (Kind.PROVISION, State.APPROVED): 7,
        (Kind.PROVISION, State.CONFIRMED): 4,
        (Kind.PROVISION, State.UNKNOWN): 2,
        (Kind.REDEMPTION, State.APPROVED): 2,
    }
    assert (wanted.issued, wanted.delivered) == (13, 4)


async def test_a_sale_is_confirmed_with_what_its_answer_brought() -> None:
    measured, received = await run("confirm", sold_or_advised)

    assert measured.errors == {}
    sales = {body["id"] for body in received if "requestId" not in body}
    advices = [body for body in received if "requestId" in body]
    assert {advice["requestId"] for advice in advices} == sales
    assert len({str(UUID(str(advice["id"]))) for advice in advices} - sales) == len(sales) > 2
    assert all(advice["thirdPartyIdentifiers"] == THIRD for advice in advices)


async def test_what_was_begun_when_the_time_is_over_is_done_to_its_end() -> None:
    """A sale that nobody confirms would be missing in the books, and stay in the way of the next round."""
    measured, received = await run("confirm", sold_or_advised)

    counted = {name: one.in_all for name, one in measured.operations.items()}
    assert counted == {"provision": measured.done_in_all, "confirm provision": measured.done_in_all}
    assert measured.messages_in_all == len(received) == 2 * measured.done_in_all
    assert measured.done <= measured.done_in_all


async def test_latencies_are_told_by_what_was_asked() -> None:
    measured, _ = await run("confirm", sold_or_advised)

    sale, advice = measured.operations["provision"], measured.operations["confirm provision"]
    assert sale.measured + advice.measured == measured.messages
    assert 0 < min(sale.p50_ms, advice.p50_ms) <= measured.p50_ms <= max(sale.p50_ms, advice.p50_ms)


async def test_a_wrong_status_is_told_with_what_was_asked_and_ends_that_cycle() -> None:
    def advices_fail(number: int, body: dict[str, object]) -> list[bytes]:
        return [http(503, b'{"errorType":"X"}')] if "requestId" in body else sold_or_advised(number, body)

    measured, _ = await run("confirm", advices_fail)

    assert set(measured.errors) == {"confirm provision: status 503"}
    assert measured.first_error == 'confirm provision: status 503: {"errorType":"X"}'
    assert measured.done_in_all == 0


async def test_a_right_status_with_a_wrong_reason_is_an_error() -> None:
    """A duplicate must be refused because it is one, and not for its format."""
    sold: set[object] = set()

    def refuse_again(_: int, body: dict[str, object]) -> list[bytes]:
        if body["id"] in sold:
            return [http(400, b'{"errorType":"FORMAT_ERROR"}')]
        sold.add(body["id"])
        return [http(201)]

    measured, _ = await run("duplicate", refuse_again)

    assert set(measured.errors) == {'duplicate: no "DUPLICATE_RECORD"'}


async def test_an_answer_without_what_the_till_needs_is_an_error() -> None:
    measured, _ = await run("confirm", lambda *_: [http(201, b'{"thirdPartyIdentifiers":[{')])

    assert set(measured.errors) == {"provision: unreadable answer"}
    assert measured.done_in_all == 0


async def test_who_cannot_sell_its_stock_begins_no_cycle() -> None:
    measured, received = await run("lookup", lambda *_: [http(503)])

    assert measured.errors == {"provision: status 503": 2}
    assert measured.done_in_all == 0
    assert len(received) == 2


async def test_the_stock_is_sold_before_the_measured_time_and_each_of_it_is_repeated() -> None:
    first: list[object] = []

    def answer(_: int, body: dict[str, object]) -> list[bytes]:
        if body["id"] in first:
            return [http(400, b'{"errorType":"DUPLICATE_RECORD"}')]
        first.append(body["id"])
        return [http(201)]

    measured, received = await run("duplicate", answer)

    assert measured.errors == {}
    assert measured.operations["provision"].in_all == len(first) == 2 * STOCK
    assert measured.operations["provision"].measured == 0
    assert {body["id"] for body in received[2 * STOCK :]} <= set(first)


def test_of_twenty_sales_one_is_declined_and_one_in_doubt() -> None:
    desk = Desk(ADDRESS)
    tills = [SCENARIOS["faults"](desk) for _ in range(4)]

    asked = Counter(next(tills[number % 4].cycle())[0].name for number in range(10 * DEALT))

    assert asked == {"provision": 180, "declined provision": 10, "provision in doubt": 10}


def test_a_doubt_is_retried_and_the_next_is_reversed() -> None:
    desk = Desk(ADDRESS)
    till = SCENARIOS["faults"](desk)
    after: list[tuple[str, str]] = []
    while len(after) < 4:
        cycle = till.cycle()
        operation, request = next(cycle)
        if operation is desk.in_doubt:
            then, message = cycle.send(b"")
            request_id = json.loads(request.partition(b"\r\n\r\n")[2])["id"]
            body = json.loads(message.partition(b"\r\n\r\n")[2])
            assert request_id == body.get("requestId", body["id"])
            after.append((then.name, message.split(b" ")[1].decode().replace(request_id, "ID")))

    retry = ("retry", "/suv/v1/vouchers/ID/retry")
    reverse = ("reverse provision", "/suv/v1/vouchers/reversals")
    assert after == [retry, reverse, retry, reverse]


@pytest.mark.parametrize("values", [(fresh_id(), b"[]"), (fresh_id(), b'[{"a":"%b {{id}}"}]')])
def test_a_form_is_a_request_whatever_is_put_in(values: tuple[bytes, bytes]) -> None:
    form = Form("POST /x HTTP/1.1\r\nContent-Length: ", '{"id":"{{id}}","list":"{{{list}}}","rest":"100 %"}')

    head, _, body = form.fill(*values).partition(b"\r\n\r\n")

    assert head == b"POST /x HTTP/1.1\r\nContent-Length: %d" % len(body)
    assert json.loads(body) == {"id": values[0].decode(), "list": json.loads(values[1]), "rest": "100 %"}


def test_ids_alone_are_put_into_a_request_that_is_already_made() -> None:
    request_id = fresh_id()
    made = ADDRESS.post("/x", {**REQUEST, "id": "{{id}}"}).fill(request_id)

    head, _, body = made.partition(b"\r\n\r\n")
    assert head.endswith(b"Content-Length: %d" % len(body))
    assert json.loads(body) == {**REQUEST, "id": request_id.decode()}


def test_a_question_has_its_value_in_its_path() -> None:
    assert Question("GET /x?code=%b HTTP/1.1\r\n\r\n").fill(b"12") == b"GET /x?code=12 HTTP/1.1\r\n\r\n"


def test_what_is_taken_from_an_answer() -> None:
    said = http(201, b'{"posConditionCode":"N","thirdPartyIdentifiers":[{"a":"1"},{"b":"2"}],"voucher":{"code":"90"}}')

    assert code_in(said) == b"90"
    assert identifiers_in(said) == b'[{"a":"1"},{"b":"2"}]'
    for cut in (said[:60], said[:80]):
        with pytest.raises(UnreadableAnswerError, match="thirdPartyIdentifiers"):
            identifiers_in(cut)


def test_a_scenario_that_there_is_not_is_one_clear_line() -> None:
    with pytest.raises(BenchError, match="there is no scenario 'sale'; there are provision, confirm"):
        till_of("sale")
