"""The simulator is strict and keeps the order of checks, so that a wrong connector is caught."""

from datetime import datetime

import pytest

from providers.bluvoucher.blu_support import (
    AUTHENTICATION,
    FIRST_PIN,
    GET_VOUCHER,
    SOLD_VOUCHER,
    SPEND,
    Blu,
    advice_order,
    sale_of,
)
from providers.provider_support import R1, R2, SAMPLE_TIME, an_id
from voucherswitch.providers.bluvoucher.simulator import PORT

ENQUIRY = (
    "<request><SessionId>S-000001</SessionId><EventType>VoucherEnquiry</EventType><event>"
    f"<Reference>{R2}</Reference><VoucherNumber>{FIRST_PIN}</VoucherNumber></event></request>"
)


def code(answer: str) -> str:
    """The error code of an answer; empty for a success."""
    return answer.partition("<AEONErrorCode>")[2].partition("<")[0]


def test_the_port_is_the_sections() -> None:
    assert PORT == 9108


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", None),
        ("garbage", "755"),
        ("<response/>", "755"),
        (GET_VOUCHER[:-1], "755"),
        ('<?xml version="1.0"?>' + GET_VOUCHER, "755"),
        (GET_VOUCHER.replace("EventType", "eventType"), "755"),
        (GET_VOUCHER.replace("</event>", "</event><more/>"), "755"),
        (GET_VOUCHER.replace("<ProductCode>BLU</ProductCode>", ""), "755"),
        (GET_VOUCHER.replace("</event>", "<More>1</More></event>"), "755"),
        (GET_VOUCHER.replace("100.00", "100"), "755"),
        (GET_VOUCHER.replace("100.00", "100.001"), "755"),
        (GET_VOUCHER.replace(R1, R1[:-1]), "755"),
        (GET_VOUCHER.replace("GetVoucher", "GetMoney"), "774"),
        (GET_VOUCHER.replace("S-000001", "S-000009"), "750"),
        (GET_VOUCHER.replace("<SessionId>S-000001</SessionId>", ""), "750"),
        # the session is looked at before the form
        (GET_VOUCHER.replace("S-000001", "S-000009").replace("100.00", "1"), "750"),
        (GET_VOUCHER.replace("<EventType>", "<Version>2.1</Version><EventType>", 1), "755"),
        (GET_VOUCHER.replace("<request>", "<request><Version>2.1</Version>"), ""),
        (sale_of(R1, product="NOPE"), "751"),
        (sale_of(R1, amount="9.99"), "752"),
        (sale_of(R1, amount="4000.01"), "752"),
        (sale_of(R1, amount="4000.00"), ""),
        (SPEND.replace("S-000002", "S-000001"), "760"),
        (ENQUIRY, "760"),
        (ENQUIRY.replace(FIRST_PIN, FIRST_PIN[:-1]), "755"),
        (SOLD_VOUCHER, "770"),
    ],
)
async def test_what_a_line_is_answered_with(blu: Blu, line: str, expected: str | None) -> None:
    async with blu.line() as connection:
        await connection.ask(AUTHENTICATION)
        if expected is None:  # an empty line is nothing
            connection.writer.write(b"\r\n\n\r")
            line, expected = GET_VOUCHER, ""
        assert code(await connection.ask(line)) == expected
    assert (await blu.totals())["vouchers"] == (1 if "GetVoucher" in line and expected == "" else 0)


@pytest.mark.parametrize(
    ("old", "new"),
    [("0000</UserPin>", "0001</UserPin>"), ("90001", "90002"), ("SIM-DEV-1", "SIM-DEV-2"), ("BluVoucher", "Airtime")],
)
async def test_authentication_is_exact(blu: Blu, old: str, new: str) -> None:
    async with blu.line() as line:
        answer = await line.ask(AUTHENTICATION.replace(old, new))
        assert code(answer) == ("755" if old == "BluVoucher" else "103")
        if old != "BluVoucher":
            assert "<ErrorCode>3</ErrorCode>" in answer
        assert code(await line.ask(GET_VOUCHER)) == "750"


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
async def test_any_line_end_ends_a_request(blu: Blu, end: str) -> None:
    async with blu.line() as line:
        assert code(await line.ask(AUTHENTICATION, end)) == ""
        assert code(await line.ask(GET_VOUCHER, end)) == ""


async def test_requests_on_a_connection_are_answered_in_order(blu: Blu) -> None:
    async with blu.line() as line:
        await line.ask(AUTHENTICATION)
        lines = [sale_of(an_id(number)) for number in range(10)]
        line.writer.write("".join(f"{one}\n" for one in lines).encode())
        answers = [await line.answer() for _ in lines]
        assert [an_id(number) in answer for number, answer in enumerate(answers)] == [True] * 10


async def test_a_new_authentication_replaces_the_session(blu: Blu) -> None:
    async with blu.line() as line:
        await line.ask(AUTHENTICATION)
        await line.ask(AUTHENTICATION)
        assert code(await line.ask(GET_VOUCHER)) == "750"
        assert code(await line.ask(sale_of(R1, session="S-000002"))) == ""


async def test_the_order_of_checks_of_a_sale(blu: Blu) -> None:
    """Reference, product, amount, float; and a declined attempt does not use up its reference."""
    async with blu.line() as line:
        await line.ask(AUTHENTICATION)
        await line.ask(GET_VOUCHER)
        await blu.control("POST", "/float", {"cents": 1_000})
        assert code(await line.ask(sale_of(R1, product="NOPE", amount="1.00"))) == "754"
        assert code(await line.ask(sale_of(R2, product="NOPE", amount="1.00"))) == "751"
        assert code(await line.ask(sale_of(R2, amount="1.00"))) == "752"
        assert code(await line.ask(sale_of(R2, amount="10.01"))) == "753"
        assert code(await line.ask(sale_of(R2, amount="10.00"))) == ""
        # the samples' values first, then counting up
        assert (await blu.state(reference=R2))["code"] == f"{int(FIRST_PIN) + 1}"
        assert ((await blu.state(reference=R1))["serial"], (await blu.state(reference=R2))["serial"]) == (
            "BS00000001",
            "BS00000002",
        )


async def test_the_order_of_checks_of_a_spend(blu: Blu) -> None:
    spend = SPEND.replace("S-000002", "S-000001")
    async with blu.line() as line:
        await line.ask(AUTHENTICATION)
        await line.ask(GET_VOUCHER)
        assert code(await line.ask(spend)) == "764"
        await line.ask(SOLD_VOUCHER)
        assert code(await line.ask(spend.replace("100.00", "99.00"))) == "765"
        assert code(await line.ask(spend.replace(R2, R1))) == "754"
        assert code(await line.ask(spend)) == ""
        assert code(await line.ask(spend)) == "754"
        assert code(await line.ask(spend.replace(R2, an_id(1)))) == "761"
        assert f"<SpentByReference>{R2}<" in await line.ask(ENQUIRY.replace(R2, an_id(2)))


@pytest.mark.parametrize(("event", "expected"), [("EXPIRE", "762"), ("BLOCK", "763"), ("REDEEM", "761")])
async def test_what_the_world_does_to_a_voucher_shows(blu: Blu, event: str, expected: str) -> None:
    seeded = await blu.control("POST", "/vouchers", {"valueCents": 10_000, "code": FIRST_PIN})
    assert (seeded.status, seeded.json["state"]) == (201, "ACTIVE")
    assert (await blu.control("POST", "/vouchers/events", {"code": FIRST_PIN, "event": event})).status == 200
    async with blu.line() as line:
        await line.ask(AUTHENTICATION)
        assert code(await line.ask(SPEND.replace("S-000002", "S-000001"))) == expected
        # who spent it is told to the spender only
        assert "SpentByReference" not in await line.ask(ENQUIRY.replace(R2, an_id(1)))


async def test_an_unsold_voucher_cannot_be_used_by_the_world(blu: Blu) -> None:
    await blu.issued()
    refused = await blu.control("POST", "/vouchers/events", {"code": FIRST_PIN, "event": "REDEEM"})
    assert refused.status == 409


async def test_a_voucher_expires_by_the_clock_36_months_on(blu: Blu) -> None:
    await blu.at(SAMPLE_TIME)
    await blu.usable()
    async with blu.line() as line:
        await line.ask(AUTHENTICATION)
        session = f"S-{blu.simulator.provider.book.numbers['sessions']:06d}"
        spend = SPEND.replace("S-000002", session)
        blu.simulator.frame.clock.set_now(datetime.fromisoformat("2029-03-03T00:00:00+02:00"))
        assert code(await line.ask(spend)) == "762"
        blu.simulator.frame.clock.set_now(datetime.fromisoformat("2029-03-02T23:59:58+02:00"))
        assert code(await line.ask(spend)) == ""


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"valueCents": 1_000, "code": "12"}, 400),
        ({"valueCents": 1_000, "productRef": "NOPE"}, 400),
        ({"valueCents": 1_000, "state": "SOLD"}, 400),
        ({"valueCents": 1_000, "state": "SPENT"}, 201),
    ],
)
async def test_what_can_be_seeded(blu: Blu, body: dict[str, object], status: int) -> None:
    answer = await blu.control("POST", "/vouchers", body)
    assert answer.status == status
    if status == 201:
        assert answer.json["balanceCents"] == 0


async def test_the_control_api_is_one_for_both_modes(blu: Blu) -> None:
    await blu.issued(R1)
    await blu.traded(R2)
    journal = (await blu.control("GET", "/journal")).json
    assert [entry["op"] for entry in journal] == ["auth", "provision", "provision"]
    assert [entry["processed"] for entry in journal] == [True, True, True]
    totals = (await blu.control("GET", "/state")).json
    assert totals["byState"] == {"UNSOLD": 1, "ACTIVE": 1}
    assert totals["centsByType"]["SALE"] == 10_000
    assert blu.simulator.url.startswith("tcp://127.0.0.1:")
    assert blu.simulator.trade_url.startswith("http://127.0.0.1:")
    refused = await blu.control("POST", "/profile", {"spelling": "aeon"})
    assert refused.status == 400


async def test_a_reset_forgets_sales_references_and_answers(blu: Blu) -> None:
    for _ in range(2):
        assert (await blu.usable()).code == FIRST_PIN
        await blu.traded(R2)
        await blu.aeon.reverse(advice_order(), blu.call())
        assert (await blu.control("POST", "/reset")).status == 204
    assert (await blu.totals())["vouchers"] == 0
