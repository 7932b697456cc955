"""Flash's recon file: what the simulator did is what is read, and what is wrong is reported with its line."""

from datetime import date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.flash.flash_support import Flash, advice_order, provision_order, redeem_order, refund_order
from providers.provider_support import R1, R2, R3, an_id
from voucherswitch.providers.contract.provider_time import SAST
from voucherswitch.providers.contract.simulator.recon import ReconDay, render_day
from voucherswitch.providers.contract.statements import BadLine, RowType, Statement, StatementRow
from voucherswitch.providers.flash.simulator import start
from voucherswitch.providers.flash.statement import HEADER, read_statement

NAME = "recon_20260302.csv"
DAY = "2026-03-02"
SALE = (
    "2026/03/02 14:15;5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13;9000000001;Purchase;1;1Voucher;0000-0000-0000-0001;"
    'Example Account;100.0000;0.0000;0.0000;100.0000;Success;"{""store"":""S001""}"'
)
USE = (
    "2026/03/02 14:40;c2d47e08-1a6b-4f35-8e90-7b1d3a5c9f24;9000000002;Redeem;1;1Voucher;0000-0000-0000-0001;"
    'Example Account;100.0000;0.0000;0.0000;100.0000;Success;"{}"'
)
NOT_CENTS = "a fee, commission or net amount is not in rand and cents"
SAMPLE = f"{HEADER}\n{SALE}\n{USE}\n"


def read(*lines: str, name: str = NAME) -> Statement:
    return read_statement(name, "".join(f"{line}\n" for line in lines).encode())


def test_the_sample_is_read() -> None:
    first, second = read_statement(NAME, SAMPLE.encode()).rows
    assert first == StatementRow(
        line=2,
        provider_ref="9000000001",
        request_id="5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13",
        type=RowType.SALE,
        serial="",
        cents=10_000,
        at=datetime(2026, 3, 2, 14, 15, tzinfo=SAST),
        store="S001",
        product="1voucher",
        status="Success",
    )
    assert (second.type, second.store, second.cents) == (RowType.REDEEM, "", 10_000)
    whole = read_statement(NAME, SAMPLE.encode())
    assert whole.is_whole
    assert (whole.day, whole.total_cents) == (date(2026, 3, 2), 20_000)


async def test_the_simulators_file_is_the_samples_bytes(flash: Flash) -> None:
    await flash.at("2026-03-02T14:15:16+02:00")
    await flash.issued()
    await flash.at("2026-03-02T14:40:00+02:00")
    await flash.connector.redeem(redeem_order(), flash.call())
    answer = await flash.control("GET", "/recon", date=DAY)
    assert answer.body.decode() == SAMPLE
    assert f'filename="{NAME}"' in answer.headers["content-disposition"]


async def test_18_what_was_done_is_what_is_read(flash: Flash) -> None:
    """Also what has no answer: the file knows of the sale that we do not."""
    await flash.reverse_on()
    connector = flash.with_settings(refund_enabled=True, reverse_enabled=True)
    await flash.at("2026-03-02T10:00:00+02:00")
    await flash.fault("drop_after", op="provision")
    await connector.provision(provision_order(), flash.call())
    await connector.provision(provision_order(an_id(1), 5_000, "gift:301"), flash.call())
    await connector.provision(provision_order(an_id(2), 50), flash.call())  # declined
    await connector.provision(provision_order(an_id(3), 20_000), flash.call())
    await connector.reverse(advice_order(an_id(3)), flash.call())
    await connector.redeem(redeem_order(amount_cents=4_000), flash.call())
    await connector.refund(refund_order(amount_cents=1_500), flash.call())
    await flash.seed()
    await flash.at("2026-03-03T00:00:00+02:00")
    await connector.provision(provision_order(an_id(4)), flash.call())

    answer = await flash.control("GET", "/recon", date=DAY)
    statement = read_statement(NAME, answer.body)
    assert statement.is_whole
    assert [(row.request_id, row.type, row.cents, row.product, row.store) for row in statement.rows] == [
        (R1, RowType.SALE, 10_000, "1voucher", "S001"),
        (an_id(1), RowType.SALE, 5_000, "gift:301", "S001"),
        (an_id(3), RowType.SALE, 20_000, "1voucher", "S001"),
        (an_id(3), RowType.REVERSAL, -20_000, "1voucher", ""),
        (R2, RowType.REDEEM, 4_000, "1voucher", ""),
        (R3, RowType.REFUND, -1_500, "1voucher", "S001"),
    ]
    next_day = await flash.control("GET", "/recon", date="2026-03-03")
    assert [row.request_id for row in read_statement("recon_20260303.csv", next_day.body).rows] == [an_id(4)]
    for voucher in flash.simulator.provider.book:
        assert voucher.code not in answer.body.decode()


async def test_18_a_duplicate_sale_is_two_rows(flash: Flash) -> None:
    await flash.at("2026-03-02T10:00:00+02:00")
    await flash.issued()
    await flash.advance(1_800_000)
    await flash.issued()
    statement = read_statement(NAME, (await flash.control("GET", "/recon", date=DAY)).body)
    assert [row.request_id for row in statement.rows] == [R1, R1]
    assert statement.is_whole


@pytest.mark.parametrize(
    ("fault", "rows", "cents"),
    [
        ("missing_row", 1, 20_000),
        ("extra_row", 3, 40_000),
        ("wrong_amount", 2, 30_001),
        ("bad_trailer", 2, 30_000),  # a file without a trailer cannot have a bad one
        ("empty_day", 0, 0),
    ],
)
async def test_18_a_fault_that_leaves_a_whole_file_shows_in_its_totals(
    flash: Flash, fault: str, rows: int, cents: int
) -> None:
    statement = await _faulty(flash, fault)
    assert statement.is_whole
    assert (len(statement.rows), statement.total_cents) == (rows, cents)


async def test_18_a_fault_that_breaks_the_file_is_reported(flash: Flash) -> None:
    twice = await _faulty(flash, "duplicate_row")
    assert twice.bad_lines == (BadLine(3, "it repeats line 2"),)
    cut = await _faulty(flash, "truncated")
    assert "the last line has no end: the file may be cut" in cut.problems
    assert not cut.is_whole
    assert (await flash.control("GET", "/recon", date=DAY, fault="late")).status == 404
    empty = await flash.control("GET", "/recon", date="2026-03-05", fault="truncated")
    assert (empty.status, empty.body) == (200, HEADER[: len(HEADER) // 2].encode())


async def _faulty(flash: Flash, fault: str) -> Statement:
    await flash.control("POST", "/reset")
    await flash.at("2026-03-02T10:00:00+02:00")
    await flash.issued()
    await flash.issued(request_id=R2, amount_cents=20_000)
    answer = await flash.control("GET", "/recon", date=DAY, fault=fault)
    assert answer.status == 200, answer.body
    return read_statement(NAME, answer.body)


async def test_18_the_file_lies_in_the_outbox_in_the_morning(tmp_path: Path) -> None:
    async with start(outbox_dir=tmp_path) as simulator:
        simulator.frame.clock.set_now(datetime(2026, 3, 2, 14, 15, 16, tzinfo=SAST))
        simulator.frame.clock_moved()
        simulator.frame.clock.set_now(datetime(2026, 3, 3, 1, 0, tzinfo=SAST))
        simulator.frame.clock_moved()
        assert read_statement(NAME, (tmp_path / NAME).read_bytes()).is_whole


def test_a_replacement_has_a_name_of_its_own() -> None:
    assert read(HEADER, SALE, name="recon_20260302_R1.csv").is_whole
    for name in ("recon_2026-03-02.csv", "recon_20260230.csv", "recon_20260302.txt", "flash.csv"):
        other = read(HEADER, SALE, name=name)
        assert other.day is None
        assert other.problems == ("the name is not recon_<yyyyMMdd>.csv",)
        assert len(other.rows) == 1


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "it has 0 fields, not 14"),
        (SALE + "x", "it is not CSV"),
        (SALE[:40], "it has 2 fields, not 14"),
        (SALE.replace("Success;", "Success;;"), "it has 15 fields, not 14"),
        (SALE.replace("5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13", ""), "Reference or Transaction ID is empty"),
        (SALE.replace("9000000001", ""), "Reference or Transaction ID is empty"),
        (SALE.replace("Purchase", "Sale"), "the type is none of Purchase, Redeem, Refund, Reversal"),
        (SALE.replace("Purchase;1;", "Purchase;A;"), "the product code is not a number"),
        (SALE.replace("Success", "Done"), "the status is none of Success, Pending, Failed"),
        (SALE.replace(";100.0000;0.0000", ";100.0001;0.0000"), "the amount is not in rand and cents"),
        (SALE.replace(";100.0000;0.0000", ";0.0000;0.0000"), "the amount is zero"),
        (SALE.replace(";100.0000;0.0000", ";-100.0000;0.0000"), "the amount has the wrong sign for SALE"),
        (SALE.replace("Purchase", "Refund"), "the amount has the wrong sign for REFUND"),
        (SALE.replace("Purchase", "Reversal"), "the amount has the wrong sign for REVERSAL"),
        (SALE.replace(";0.0000;0.0000;", ";0.0050;0.0000;"), NOT_CENTS),
        (SALE.replace(";100.0000;Success", ";x;Success"), NOT_CENTS),
        (SALE.replace("2026/03/02", "2026/02/30"), "the time cannot be read"),
        (SALE.replace("2026/03/02", "2026/03/03"), "the time is on another day than the file's"),
        (SALE.replace('"{""store"":""S001""}"', '"["'), "the metadata is not a JSON object"),
        (SALE.replace('"{""store"":""S001""}"', '"[]"'), "the metadata is not a JSON object"),
        (SALE.replace('"{""store"":""S001""}"', '"{""store""'), "it is not CSV"),
    ],
)
def test_a_bad_line_is_reported_and_the_rest_is_read(line: str, reason: str) -> None:
    statement = read(HEADER, line, USE)
    assert statement.bad_lines == (BadLine(2, reason),)
    assert [row.line for row in statement.rows] == [3]
    assert not statement.is_whole


def test_what_is_not_final_says_so() -> None:
    pending = read(HEADER, SALE.replace("Success", "Pending"), USE.replace("Success", "Failed"))
    assert pending.is_whole
    assert [row.status for row in pending.rows] == ["Pending", "Failed"]


def test_fees_and_commissions_are_kept() -> None:
    [row] = read(HEADER, SALE.replace("100.0000;0.0000;0.0000;100.0000", "1,000.0000;1.5000;-30.2500;968.2500")).rows
    assert (row.cents, row.fee_cents, row.commission_cents) == (100_000, 150, -3_025)


def test_metadata_may_hold_what_the_file_is_made_of() -> None:
    [row] = read(HEADER, SALE.replace('""S001""', '""S;0\'01""')).rows
    assert row.store == "S;0'01"
    [row] = read(HEADER, SALE.replace('{""store"":""S001""}', '{""store"":7,""x"":[1]}')).rows
    assert row.store == ""


def test_a_file_cut_inside_a_line_is_never_whole() -> None:
    content = SAMPLE.encode()
    ends = {len(HEADER) + 1, len(HEADER) + len(SALE) + 2, len(content)}
    for size in range(len(content) + 1):
        # After a whole line nothing tells: there is no trailer. Matching finds the missing sale.
        assert read_statement(NAME, content[:size]).is_whole is (size in ends)


def test_hostile_bytes() -> None:
    assert read_statement(NAME, b"").problems == ("the first line is not the header",)
    binary = read_statement(NAME, HEADER.encode() + b"\n\xff\xfe\n")
    assert binary.bad_lines == (BadLine(2, "it is not UTF-8"),)
    marked = read_statement(NAME, b"\xef\xbb\xbf" + SAMPLE.encode())
    assert marked.problems == ("the file starts with a byte order mark",)
    nul = read(HEADER, SALE.replace("Example", "Ex\x00mple"), SALE.replace("9000000001", "x" * 200_000))
    assert len(nul.rows) + len(nul.bad_lines) == 2
    deep = read(HEADER, SALE.replace('{""store"":""S001""}', "[" * 50_000))
    assert deep.bad_lines == (BadLine(2, "the metadata is not a JSON object"),)


@given(st.binary(max_size=300), st.text(max_size=40))
def test_no_bytes_raise(content: bytes, name: str) -> None:
    read_statement(name, content)
    read_statement(NAME, HEADER.encode() + b"\n" + content)


@given(st.lists(st.text(alphabet='0123456789./:;" {}[]-,SRPurchase', max_size=12), min_size=12, max_size=16))
def test_no_fields_raise(fields: list[str]) -> None:
    read(HEADER, ";".join(fields))


def test_a_header_alone_can_be_cut_too() -> None:
    day = ReconDay(NAME, (), lambda _rows, _count, _cents: f"{HEADER}\n")
    assert render_day(day, "truncated") == HEADER[: len(HEADER) // 2]
