"""Betway's recon file: what the simulator did comes back whole, and what is wrong is reported with its line."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.betway.betway_support import FULFIL_MS, Betway
from providers.provider_support import R1, R2, advice_order, an_id
from voucherswitch.providers.betway.statement import HEADER, read_statement
from voucherswitch.providers.contract.simulator.recon import FILE_FAULTS
from voucherswitch.providers.contract.statements import BadLine, RowType, Statement, StatementRow

NAME = "betway_orders_20260302.psv"
SALE = "BW-00000001|5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13|SALE|BWS000000001|10000|2026-03-02T12:15:17Z|S001|Y"
REVERSAL = SALE.replace("SALE", "REVERSAL").replace("|10000|", "|-10000|").replace("|Y", "|N")
TRAILER = "#EOF|1|10000"
SAMPLE = f"orderId|externalId|type|serial|minor|at|outlet|acknowledged\n{SALE}\n{TRAILER}\n"


def read(*lines: str, name: str = NAME) -> Statement:
    return read_statement(name, "".join(f"{line}\n" for line in lines).encode())


def test_the_sample_is_read() -> None:
    assert read_statement(NAME, SAMPLE.encode()) == Statement(
        day=date(2026, 3, 2),
        rows=(
            StatementRow(
                line=2,
                provider_ref="BW-00000001",
                request_id=R1,
                type=RowType.SALE,
                serial="BWS000000001",
                cents=10_000,
                at=datetime(2026, 3, 2, 12, 15, 17, tzinfo=UTC),
                store="S001",
            ),
        ),
        bad_lines=(),
        problems=(),
    )


async def test_18_the_simulator_writes_the_sample_to_the_byte(betway: Betway) -> None:
    await betway.at("2026-03-02T14:15:16.500+02:00")
    await betway.order()
    await betway.advance(FULFIL_MS)
    await betway.connector.confirm(advice_order(), betway.call())
    answer = await betway.control("GET", "/recon", date="2026-03-02")
    assert answer.headers["content-disposition"] == f'attachment; filename="{NAME}"'
    assert answer.body.decode() == SAMPLE


async def test_18_what_was_done_comes_back_on_its_south_african_day(betway: Betway) -> None:
    """Times are in UTC, but at half past midnight here it is still yesterday there."""
    await betway.at("2026-03-03T00:30:00+02:00")
    for request_id in (R1, R2):
        await betway.sold(request_id)
    await betway.connector.confirm(advice_order(R1), betway.call())
    await betway.connector.reverse(advice_order(R2), betway.call())
    await betway.order(an_id(1), skuId="NONE")
    await betway.profile(immediatePercent=0)
    await betway.order(an_id(2))
    await betway.cancel(an_id(2))
    answer = await betway.control("GET", "/recon", date="2026-03-03")
    assert b"2026-03-02T22:30:0" in answer.body
    statement = read_statement("betway_orders_20260303.psv", answer.body)
    assert statement.is_whole
    assert [(row.request_id, row.type.value, row.cents) for row in statement.rows] == [
        (R1, "SALE", 10_000),
        (R2, "SALE", 10_000),
        (R2, "REVERSAL", -10_000),
    ]
    lines = answer.body.decode().splitlines()[1:-1]
    assert [line.rpartition("|")[2] for line in lines] == ["Y", "N", "N"]
    assert (await betway.control("GET", "/recon", date="2026-03-02")).body.decode() == f"{HEADER}\n#EOF|0|0\n"


@pytest.mark.parametrize("fault", FILE_FAULTS)
async def test_18_every_file_fault_shows(betway: Betway, fault: str) -> None:
    await betway.at("2026-03-02T10:00:00+02:00")
    for request_id in (R1, R2):
        await betway.sold(request_id)
    true = read_statement(NAME, (await betway.control("GET", "/recon", date="2026-03-02")).body)
    answer = await betway.control("GET", "/recon", date="2026-03-02", fault=fault)
    if fault == "late":
        assert answer.status == 404
        return
    statement = read_statement(NAME, answer.body)
    if fault in ("duplicate_row", "bad_trailer", "truncated"):
        assert not statement.is_whole
    else:
        # Whole in itself: only our own records tell.
        assert statement.is_whole
        assert statement.total_cents != true.total_cents


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "it has 1 fields, not 8"),
        (f"{SALE}|x", "it has 9 fields, not 8"),
        (SALE[:30], "it has 2 fields, not 8"),
        (SALE.replace("BW-00000001", ""), "orderId, externalId or serial is empty"),
        (SALE.replace("|Y", "|yes"), "acknowledged is neither Y nor N"),
        (SALE.replace("SALE", "SOLD"), "the type is none of SALE, REVERSAL, REDEEM, REDEEM_REVERSAL, REFUND"),
        (SALE.replace("|10000|", "|100.00|"), "the amount is not a whole number of cents other than 0"),
        (SALE.replace("|10000|", "|0|"), "the amount is not a whole number of cents other than 0"),
        (SALE.replace("|10000|", "|-10000|"), "the amount has the wrong sign for SALE"),
        (REVERSAL.replace("|-10000|", "|10000|"), "the amount has the wrong sign for REVERSAL"),
        (SALE.replace("17Z", "17"), "the time has no offset"),
        (SALE.replace("2026-03-02T12", "2026-03-02T25"), "the time cannot be read"),
        (SALE.replace("2026-03-02T12", "2026-03-02T22"), "the time is on another day than the file's"),
        (REVERSAL, "it repeats line 3"),
    ],
)
def test_a_bad_line_is_reported_and_the_rest_is_read(line: str, reason: str) -> None:
    statement = read(HEADER, SALE.replace("BW-00000001", "BW-00000009"), REVERSAL, line, TRAILER)
    assert statement.bad_lines == (BadLine(4, reason),)
    assert [row.line for row in statement.rows] == [2, 3]


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ((HEADER, SALE, "#EOF|2|10000"), "the trailer counts 2 rows, the file has 1"),
        ((HEADER, SALE, "#EOF|1|10001"), "the trailer's sum is 10001, the rows make 10000"),
        ((HEADER, SALE), "there is no trailer: the file is cut"),
        ((), "the first line is not the header"),
        ((SALE, TRAILER), "the first line is not the header"),
    ],
)
def test_what_is_wrong_with_the_whole_file_is_reported(lines: tuple[str, ...], problem: str) -> None:
    assert problem in read(*lines).problems


def test_a_file_cut_anywhere_is_never_whole() -> None:
    content = f"{HEADER}\n{SALE}\n{REVERSAL}\n#EOF|2|0\n".encode()
    assert read_statement(NAME, content).is_whole
    assert not any(read_statement(NAME, content[:size]).is_whole for size in range(len(content)))


def test_names_and_bytes_that_do_not_belong() -> None:
    for name in ("orders.psv", "betway_orders_20260230.psv", "betway_orders_20260302.csv"):
        other = read(HEADER, SALE, TRAILER, name=name)
        assert (other.day, other.problems) == (None, ("the name is not betway_orders_<yyyyMMdd>.psv",))
    assert read(HEADER, SALE, TRAILER, name=NAME.replace(".", "_R1.")).is_whole
    after = read(HEADER, SALE, TRAILER, REVERSAL)
    assert after.bad_lines == (BadLine(4, "it comes after the trailer"),)
    binary = read_statement(NAME, f"{HEADER}\n".encode() + b"\xff\xfe\n" + TRAILER.encode() + b"\n")
    assert binary.bad_lines == (BadLine(2, "it is not UTF-8"),)


@given(st.binary(max_size=300) | st.text(max_size=100).map(lambda text: (SAMPLE + text).encode(errors="replace")))
def test_no_bytes_raise(content: bytes) -> None:
    read_statement(NAME, content)
