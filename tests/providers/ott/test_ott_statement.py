"""OTT's daily file: the sample, what is wrong with a file, and the round trip from what really happened (check 18)."""

from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.ott.ott_support import SERIAL, Ott, redeem_order
from providers.provider_support import R1, R2, SAMPLE_TIME, SETTLED, advice_order, an_id
from voucherswitch.providers.contract.simulator.recon import FILE_FAULTS
from voucherswitch.providers.contract.statements import BadLine, RowType, Statement, StatementRow
from voucherswitch.providers.ott.statement import HEADER, read_statement

NAME = "OTT_STATEMENT_11_20260302.csv"
DAY = "2026-03-02"
SALE = f'2026-03-02 14:15:16,{R1},7000001,{SERIAL},SALE,100.00,S001,"999,900.00"'
REDEEM = f'2026-03-02 14:40:00,{R2},7000001,{SERIAL},REDEEM,100.00,S001,"1,000,000.00"'
REVERSAL = SALE.replace("SALE", "REVERSAL").replace(",100.00,", ',"-1,100.00",')
SAST = timezone(timedelta(hours=2))


def read(*lines: str, name: str = NAME) -> Statement:
    return read_statement(name, "".join(f"{line}\n" for line in lines).encode())


def test_the_sample_is_read() -> None:
    row = StatementRow(
        line=2,
        provider_ref="7000001",
        request_id=R1,
        type=RowType.SALE,
        serial=SERIAL,
        cents=10_000,
        at=datetime(2026, 3, 2, 14, 15, 16, tzinfo=SAST),
        store="S001",
    )
    statement = read(HEADER, SALE, REDEEM)
    assert statement.is_whole
    assert statement.day == date(2026, 3, 2)
    assert statement.rows[0] == row
    assert (statement.rows[1].type, statement.rows[1].request_id) == (RowType.REDEEM, R2)
    assert statement.rows[1].at == datetime(2026, 3, 2, 14, 40, tzinfo=SAST)
    assert statement.total_cents == 20_000


def test_grouped_and_negative_amounts_an_empty_day_and_a_replacement() -> None:
    reversal = read(HEADER, REVERSAL, name="OTT_STATEMENT_AB-1_20260302_R1.csv")
    assert reversal.is_whole
    assert reversal.total_cents == -110_000
    empty = read(HEADER)
    assert (empty.is_whole, empty.rows) == (True, ())


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "it has 0 fields, not 8"),
        (SALE + ",x", "it has 9 fields, not 8"),
        (SALE[:40], "it has 2 fields, not 8"),
        (SALE.replace('"', ""), "it has 9 fields, not 8"),
        (SALE[:-1], "its quotes do not match"),
        (SALE.replace("7000001", ""), "UniqueReference, VoucherID or SerialNumber is empty"),
        (SALE.replace(R1, ""), "UniqueReference, VoucherID or SerialNumber is empty"),
        (SALE.replace("SALE", "SOLD"), "the type is none of SALE, REVERSAL, REDEEM, REDEEM_REVERSAL, REFUND"),
        (SALE.replace(",100.00,", ",10000,"), "the amount is not in rand and cents"),
        (SALE.replace(",100.00,", ',"1,00.00",'), "the amount is not in rand and cents"),
        (SALE.replace(",100.00,", ",0.00,"), "the amount is zero"),
        (SALE.replace(",100.00,", ",-100.00,"), "the amount has the wrong sign for SALE"),
        (REVERSAL.replace("-1,100.00", "1,100.00"), "the amount has the wrong sign for REVERSAL"),
        (SALE.replace('"999,900.00"', "much"), "the balance is not in rand and cents"),
        (SALE.replace('"999,900.00"', ""), "the balance is not in rand and cents"),
        (SALE.replace("14:15:16", "14:15"), "the time cannot be read"),
        (SALE.replace("2026-03-02 ", "2026-03-03 "), "the time is on another day than the file's"),
        (REDEEM, "it repeats line 2"),
    ],
)
def test_a_bad_line_is_reported_and_the_rest_is_read(line: str, reason: str) -> None:
    statement = read(HEADER, REDEEM, line)
    assert statement.bad_lines == (BadLine(3, reason),)
    assert [row.line for row in statement.rows] == [2]
    assert not statement.is_whole


def test_a_sale_and_its_redemption_have_the_same_voucher_and_do_not_repeat_each_other() -> None:
    assert len(read(HEADER, SALE, REDEEM, REVERSAL).rows) == 3


def test_what_is_wrong_with_the_whole_file_is_reported() -> None:
    assert read(SALE).problems == ("the first line is not the header",)
    assert read().problems == ("the first line is not the header",)
    for name in ("OTT_STATEMENT_11_20260230.csv", "OTT_STATEMENT_20260302.csv", "statement.csv", NAME + "\n"):
        named = read(HEADER, SALE, name=name)
        assert named.problems == ("the name is not OTT_STATEMENT_<vendor code>_<yyyyMMdd>.csv",)
        assert (named.day, len(named.rows)) == (None, 1)
    marked = read_statement(NAME, b"\xef\xbb\xbf" + HEADER.encode() + b"\n")
    assert marked.problems == ("the file starts with a byte order mark",)


def test_a_file_cut_inside_a_line_is_never_whole() -> None:
    content = "".join(f"{line}\n" for line in (HEADER, SALE, REDEEM)).encode()
    for size in range(len(content)):
        # Without a trailer a file that is cut between two lines is a shorter file: matching finds what is missing.
        if size == 0 or content[size - 1 : size] != b"\n":
            assert not read_statement(NAME, content[:size]).is_whole


@given(
    content=st.binary(max_size=300)
    | st.binary(max_size=40).map(lambda junk: f"{HEADER}\n{SALE}\n".encode() + junk + b"\n")
    | st.text(alphabet='",\r\n\x000129-:. SALE', max_size=80).map(lambda junk: f"{HEADER}\n{junk}\n".encode())
)
def test_no_bytes_make_it_raise(content: bytes) -> None:
    statement = read_statement(NAME, content)
    assert isinstance(statement, Statement)


def test_a_field_without_end_is_a_bad_line() -> None:
    long = read(HEADER, "x" * 200_000)
    assert len(long.bad_lines) == 1


# The round trip


async def _a_day(ott: Ott) -> None:
    """A sale that is redeemed in part, one that is reversed, one that stands; and a voucher sold elsewhere."""
    await ott.at(SAMPLE_TIME)
    await ott.confirmed()
    await ott.connector.redeem(redeem_order(amount_cents=4_000), ott.call())
    await ott.issued(an_id(1), amount_cents=250_000)
    await ott.connector.reverse(advice_order(an_id(1)), ott.call())
    await ott.issued(an_id(2), amount_cents=5_000)
    seeded = (await ott.control("POST", "/vouchers", {"valueCents": 20_000})).json
    await ott.connector.redeem(redeem_order(an_id(3), 20_000, seeded["code"]), ott.call())


async def test_18_the_file_of_a_day_agrees_with_the_books(ott: Ott) -> None:
    await _a_day(ott)
    name, content = await ott.recon(DAY)
    assert name == NAME
    statement = read_statement(name, content)
    assert statement.is_whole
    assert [(row.type, row.request_id, row.cents) for row in statement.rows] == [
        (RowType.SALE, R1, 10_000),
        (RowType.REDEEM, R2, 4_000),
        (RowType.SALE, an_id(1), 250_000),
        (RowType.REVERSAL, an_id(1), -250_000),
        (RowType.SALE, an_id(2), 5_000),
        (RowType.REDEEM, an_id(3), 20_000),
    ]
    assert statement.total_cents == sum((await ott.totals())["centsByType"].values())
    assert not any(voucher.code.encode() in content for voucher in ott.provider.book)


async def test_18_the_file_of_the_samples_is_the_sample(ott: Ott) -> None:
    await ott.at(SAMPLE_TIME)
    await ott.confirmed()
    await ott.advance(24 * 60_000 + 44_000)
    await ott.redeem()
    _, content = await ott.recon(DAY)
    assert content.decode() == "".join(f"{line}\n" for line in (HEADER, SALE, REDEEM))


@pytest.mark.parametrize("fault", FILE_FAULTS)
async def test_18_no_file_fault_passes_in_silence(ott: Ott, fault: str) -> None:
    await _a_day(ott)
    name, content = await ott.recon(DAY)
    true = read_statement(name, content)
    if fault == "late":
        assert (await ott.control("GET", "/recon", date=DAY, fault=fault)).status == 404
        return
    name, spoilt = await ott.recon(DAY, fault=fault)
    found = read_statement(name, spoilt)
    match fault:
        case "truncated":
            assert found.problems == ("the last line has no end: the file may be cut",)
        case "duplicate_row":
            assert found.bad_lines == (BadLine(3, "it repeats line 2"),)
            assert found.total_cents == true.total_cents
        case "empty_day":
            assert (found.rows, found.is_whole) == ((), True)
        case "bad_trailer":
            assert spoilt == content  # this file has no trailer
        case "missing_row":
            assert len(found.rows) == len(true.rows) - 1
        case "extra_row":
            assert found.rows[-1].provider_ref == "700000X"
            assert found.rows[:-1] == true.rows
        case _:
            assert found.total_cents == true.total_cents + 1


async def test_an_unconfirmed_sale_that_lapsed_is_reversed_on_the_day_it_lapsed(ott: Ott) -> None:
    await ott.profile(autoRejectMin=24 * 60)
    await ott.at(SAMPLE_TIME)
    await ott.issued()
    await ott.advance(3 * 86_400_000)
    next_day = await ott.control("GET", "/recon", date="2026-03-03")
    statement = read_statement("OTT_STATEMENT_11_20260303.csv", next_day.body)
    assert [(row.type, row.cents, str(row.at)) for row in statement.rows] == [
        (RowType.REVERSAL, -10_000, "2026-03-03 14:15:16+02:00")
    ]
    assert statement.is_whole
    await ott.connector.reverse(advice_order(sent_ms_ago=SETTLED), ott.call())
    assert (await ott.totals())["centsByType"] == {"SALE": 10_000, "REVERSAL": -10_000} | dict.fromkeys(
        ("REDEEM", "REDEEM_REVERSAL", "REFUND"), 0
    )
