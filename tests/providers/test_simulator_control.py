"""The control API and what it controls: clock, journal, books, float, profiles, files (providers.md B.11, B.12)."""

import os
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from providers.provider_support import (
    A1,
    R1,
    R2,
    R3,
    SAMPLE_TIME,
    advice_order,
    an_id,
    http,
    lookup_order,
    status_order,
)
from providers.sandbox_support import FIRST_CODE, Sandbox, provision_order, redeem_order, refund_order
from voucherswitch.message.outcomes import Approved
from voucherswitch.providers.contract.provider_time import SAST
from voucherswitch.providers.contract.simulator.journal import ENTRIES_KEPT_MAX
from voucherswitch.providers.contract.simulator.recon import FILE_FAULTS
from voucherswitch.providers.contract.statements import RowType
from voucherswitch.providers.sandbox.simulator import start
from voucherswitch.providers.sandbox.statement import read_statement

# The clock


async def test_the_clock_is_moved_and_set(sandbox: Sandbox) -> None:
    now = (await sandbox.control("POST", "/clock", {"now": SAMPLE_TIME})).json["now"]
    assert now.startswith("2026-03-02T12:15:16")
    assert now.endswith("+00:00")
    later = (await sandbox.control("POST", "/clock", {"advanceMs": 3_600_000})).json["now"]
    assert later.startswith("2026-03-02T13:15:16")
    answer = await sandbox.raw("GET", "/products")
    assert answer.headers["date"].startswith("Mon, 02 Mar 2026 13:15:1")


@pytest.mark.parametrize("body", [{}, {"advanceMs": 1, "now": SAMPLE_TIME}, {"now": "2026-03-02T14:15:16"}, {"x": 1}])
async def test_a_clock_call_says_one_thing(sandbox: Sandbox, body: dict[str, Any]) -> None:
    assert (await sandbox.control("POST", "/clock", body)).status == 400


async def test_dates_follow_the_clock(sandbox: Sandbox) -> None:
    await sandbox.at("2028-02-29T23:30:00+02:00")
    assert (await sandbox.issued()).expires_at == "2031-02-28T21:59:59.000Z"
    await sandbox.advance(3_600_000)
    assert (await sandbox.issued(request_id=R2)).expires_at == "2031-03-01T21:59:59.000Z"


# Journal and books


async def test_the_journal_lists_what_was_heard(sandbox: Sandbox) -> None:
    await sandbox.issued()
    await sandbox.provision(request_id=R2, product="SBXDECLINE01")
    await sandbox.connector.status(status_order(), sandbox.call())
    journal = await sandbox.journal()
    assert [
        (entry["seq"], entry["op"], entry["reference"], entry["processed"], entry["status"]) for entry in journal
    ] == [
        (1, "provision", R1, True, 201),
        (2, "provision", R2, False, 422),
        (3, "status", R1, True, 200),
    ]
    assert datetime.fromisoformat(journal[0]["at"]).tzinfo is not None
    assert [entry["seq"] for entry in await sandbox.journal(op="provision", reference=R2)] == [2]
    assert [entry["seq"] for entry in await sandbox.journal(op="GET /vouchers/{requestId}")] == [3]
    assert FIRST_CODE not in str(journal)


async def test_the_journal_is_bounded(sandbox: Sandbox) -> None:
    journal = sandbox.simulator.frame.journal
    for _ in range(ENTRIES_KEPT_MAX + 10):
        journal.add(0.0, "x", "x", "")
    assert next(iter(journal.listed(None, None)))["seq"] == 11


async def test_the_books_are_shown_by_reference_and_by_code(sandbox: Sandbox) -> None:
    await sandbox.confirmed()
    await sandbox.redeemed(FIRST_CODE)
    expected = {
        "reference": R1,
        "code": FIRST_CODE,
        "serial": "SX00000001",
        "valueCents": 10_000,
        "balanceCents": 6_000,
        "state": "REDEEMED",
    }
    for query in ({"reference": R1}, {"reference": R2}, {"code": FIRST_CODE}):
        state = await sandbox.state(**query)
        assert [event["event"] for event in state.pop("events")] == ["PROVISIONED", "CONFIRMED", "REDEEMED"]
        assert state == expected
    assert (await sandbox.control("GET", "/state", reference=R3)).status == 404
    totals = await sandbox.totals()
    assert (totals["vouchers"], totals["redemptions"], totals["byState"]["REDEEMED"]) == (1, 1, 1)


async def test_a_voucher_sold_elsewhere_is_seeded(sandbox: Sandbox) -> None:
    seeded = await sandbox.control("POST", "/vouchers", {"valueCents": 5_000, "code": "ELSEWHERE"})
    assert (seeded.status, seeded.json["state"], seeded.json["balanceCents"]) == (201, "CONFIRMED", 5_000)
    outcome = await sandbox.connector.redeem(redeem_order(code="ELSEWHERE", amount_cents=0), sandbox.call())
    assert isinstance(outcome, Approved)
    assert outcome.approved_cents == 5_000
    expired = {"valueCents": 1_000, "productRef": "SBXPIN", "state": "CONFIRMED", "expiresAt": SAMPLE_TIME}
    code = (await sandbox.control("POST", "/vouchers", expired)).json["code"]
    found = await sandbox.connector.lookup(lookup_order(voucher_code=code), sandbox.call())
    assert isinstance(found, Approved)
    assert (found.voucher_state, found.approved_cents) == ("EXPIRED", 0)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/vouchers", {"code": "X"}, 400),
        ("/vouchers", {"valueCents": 1, "state": "SOLD"}, 400),
        ("/vouchers", {"valueCents": 1, "productRef": "NONE"}, 400),
        ("/vouchers", {"valueCents": 1, "code": FIRST_CODE}, 409),
        ("/vouchers/events", {"code": "NONE", "event": "BLOCK"}, 404),
        ("/vouchers/events", {"code": FIRST_CODE, "event": "BURN"}, 400),
        ("/float", {"cents": "1"}, 400),
        ("/profile", {"idReuse": "sometimes"}, 400),
        ("/profile", {"reuse": "rebind"}, 400),
        ("/keys", {}, 404),
        ("/tokens/expire", {}, 404),
    ],
)
async def test_a_control_call_that_cannot_be_served_says_why(
    sandbox: Sandbox, path: str, body: dict[str, Any], status: int
) -> None:
    await sandbox.issued()
    answer = await sandbox.control("POST", path, body)
    assert answer.status == status
    assert answer.json["error"]


async def test_other_control_calls_are_not_found(sandbox: Sandbox) -> None:
    assert (await sandbox.control("GET", "/stock")).status == 404
    assert (await http("GET", f"{sandbox.simulator.control_url}/reset")).status == 404
    assert (await sandbox.raw("POST", "/__sim/reset")).status == 404


async def test_a_profile_is_changed_in_part_and_survives_a_reset(sandbox: Sandbox) -> None:
    assert (await sandbox.control("POST", "/profile", {"idReuse": "rebind"})).json == {
        "idReuse": "rebind",
        "codeReuse": "strict",
    }
    await sandbox.control("POST", "/reset")
    assert (await sandbox.control("POST", "/profile", {})).json["idReuse"] == "rebind"


async def test_the_float_is_set_and_is_full_again_after_a_reset(sandbox: Sandbox) -> None:
    assert (await sandbox.control("POST", "/float", {"cents": 9_999})).json == {"cents": 9_999}
    declined = await sandbox.raw(
        "POST",
        "/vouchers",
        {
            "requestId": R1,
            "productId": "SBXANY",
            "amountCents": 10_000,
            "currency": "ZAR",
            "store": "S001",
            "terminal": "T",
        },
    )
    assert (declined.status, declined.json["error"]["code"]) == (422, "DO_NOT_HONOUR")
    await sandbox.control("POST", "/reset")
    assert (await sandbox.totals())["floatCents"] == 100_000_000


async def test_the_first_issue_after_a_reset_has_the_samples_values_and_then_they_count_up(sandbox: Sandbox) -> None:
    first = await sandbox.issued(request_id=an_id(1))
    second = await sandbox.issued(request_id=an_id(2))
    assert (first.code, first.serial_number) == ("9000000000001231", "SX00000001")
    assert (second.code, second.serial_number) == ("9000000000001249", "SX00000002")


# Daily files


async def a_day(sandbox: Sandbox) -> None:
    """A sale, a redemption and a refund that count, and one of each that do not."""
    connector, call = sandbox.connector, sandbox.call()
    await sandbox.at(SAMPLE_TIME)
    await sandbox.issued()
    await sandbox.issued(request_id=an_id(1))
    await connector.reverse(advice_order(an_id(1), an_id(2)), call)
    await sandbox.issued(request_id=an_id(3))
    await connector.confirm(advice_order(), call)
    await connector.redeem(redeem_order(), call)
    await connector.confirm_redeem(advice_order(R2), call)
    await connector.redeem(redeem_order(request_id=an_id(4)), call)
    await connector.refund(refund_order(), call)
    await connector.reverse_redeem(advice_order(an_id(4), an_id(5)), call)
    await connector.refund(refund_order(amount_cents=1_500), call)
    await connector.confirm_refund(advice_order(R3), call)


async def test_the_file_of_a_day_is_what_was_confirmed_on_it(sandbox: Sandbox) -> None:
    await a_day(sandbox)
    answer = await sandbox.control("GET", "/recon", date="2026-03-02")
    name = "sandbox_markoff_20260302.csv"
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    lines = answer.body.decode().split("\n")
    assert lines[0] == "providerRef,requestId,type,serial,cents,at,store,terminal"
    assert lines[1].startswith(f"SBXV00000001,{R1},SALE,SX00000001,10000,2026-03-02T14:15:1")
    assert lines[1].endswith("+02:00,S001,TERM0001")
    assert lines[4:] == ["TRAILER,3,12500", ""]
    statement = read_statement(name, answer.body)
    assert statement.is_whole
    assert [(row.type, row.cents, row.request_id) for row in statement.rows] == [
        (RowType.SALE, 10_000, R1),
        (RowType.REDEEM, 4_000, R2),
        (RowType.REFUND, -1_500, R3),
    ]
    other = await sandbox.control("GET", "/recon", date="2026-03-03")
    assert read_statement("sandbox_markoff_20260303.csv", other.body).rows == ()


async def test_every_file_fault_is_seen_by_the_reader_or_in_the_rows(sandbox: Sandbox) -> None:
    await a_day(sandbox)
    whole = read_statement(
        "sandbox_markoff_20260302.csv", (await sandbox.control("GET", "/recon", date="2026-03-02")).body
    )
    seen = {}
    for fault in FILE_FAULTS:
        answer = await sandbox.control("GET", "/recon", date="2026-03-02", fault=fault)
        if answer.status != 200:
            seen[fault] = f"{answer.status}"
            continue
        statement = read_statement("sandbox_markoff_20260302.csv", answer.body)
        if not statement.is_whole:
            seen[fault] = "; ".join([*statement.problems, *(bad.reason for bad in statement.bad_lines)])
        else:
            # Whole in itself: matching with our own records must find it.
            rows = {(row.provider_ref, row.cents) for row in statement.rows}
            theirs, ours = len(rows - keys(whole)), len(keys(whole) - rows)
            seen[fault] = f"{theirs} not ours, {ours} not theirs"
    assert seen == {
        "missing_row": "0 not ours, 1 not theirs",
        "extra_row": "1 not ours, 0 not theirs",
        "wrong_amount": "1 not ours, 1 not theirs",
        "duplicate_row": "it repeats line 2",
        "bad_trailer": "the trailer's sum is 12501, the rows make 12500",
        "truncated": "the last line has no end: the file may be cut; there is no trailer: the file is cut; "
        "it has 3 fields, not 8",
        "late": "404",
        "empty_day": "0 not ours, 3 not theirs",
    }


def keys(statement: Any) -> set[tuple[str, int]]:
    return {(row.provider_ref, row.cents) for row in statement.rows}


async def test_a_file_fault_can_name_its_row(sandbox: Sandbox) -> None:
    await a_day(sandbox)
    answer = await sandbox.control("GET", "/recon", date="2026-03-02", fault="missing_row", reference=R2)
    assert R2 not in answer.body.decode()
    assert b"TRAILER,2,8500" in answer.body
    for fault, reference in (("missing_row", an_id(99)), ("wrong_amount", an_id(99))):
        answer = await sandbox.control("GET", "/recon", date="2026-03-02", fault=fault, reference=reference)
        assert answer.status == 409


@pytest.mark.parametrize("query", [{}, {"date": "yesterday"}, {"date": "2026-03-02", "fault": "burnt"}])
async def test_a_file_is_asked_for_by_its_day(sandbox: Sandbox, query: dict[str, str]) -> None:
    assert (await sandbox.control("GET", "/recon", **query)).status == 400


async def test_files_are_written_at_one_in_the_morning_and_replaced_when_they_differ(tmp_path: Path) -> None:
    async with start(outbox_dir=tmp_path) as simulator:
        control = f"{simulator.control_url}/__sim"

        async def clock(moment: str) -> None:
            body = f'{{"now":"{moment}"}}'.encode()
            assert (await http("POST", f"{control}/clock", body)).status == 200

        def written() -> list[str]:
            return sorted(os.listdir(tmp_path))

        await clock("2026-03-02T23:00:00+02:00")
        await clock("2026-03-03T00:59:59+02:00")
        assert "sandbox_markoff_20260302.csv" not in written()
        await clock("2026-03-03T01:00:01+02:00")
        assert "sandbox_markoff_20260302.csv" in written()
        content = (tmp_path / "sandbox_markoff_20260302.csv").read_bytes()
        assert content == b"providerRef,requestId,type,serial,cents,at,store,terminal\nTRAILER,0,0\n"
        await clock("2026-03-05T12:00:00+02:00")
        assert {"sandbox_markoff_20260303.csv", "sandbox_markoff_20260304.csv"} <= set(written())
        assert "sandbox_markoff_20260305.csv" not in written()
        for fault, name in (("bad_trailer", "_R1"), ("bad_trailer", "_R1"), ("truncated", "_R2")):
            answer = await http("GET", f"{control}/recon?date=2026-03-02&fault={fault}")
            assert answer.headers["content-disposition"].endswith(f'20260302{name}.csv"')
        assert (tmp_path / "sandbox_markoff_20260302_R1.csv").read_bytes().endswith(b"TRAILER,0,1\n")


async def test_the_file_of_a_day_is_written_when_the_day_ends_by_itself(tmp_path: Path) -> None:
    async with start(outbox_dir=tmp_path) as simulator:
        clock = simulator.frame.clock
        today = datetime.fromtimestamp(clock.now(), SAST)
        clock.advance(2 * 24 * 3_600_000)  # the timer fires, without the control call
        assert f"sandbox_markoff_{today:%Y%m%d}.csv" in os.listdir(tmp_path)


async def test_advices_are_noted_with_their_request(sandbox: Sandbox) -> None:
    await sandbox.issued()
    await sandbox.connector.confirm(advice_order(), sandbox.call(advice_id=A1))
    assert (await sandbox.journal(op="confirm", reference=R1))[0]["status"] == 202
    assert isinstance(await sandbox.provision(provision_order(request_id=R2)), Approved)
