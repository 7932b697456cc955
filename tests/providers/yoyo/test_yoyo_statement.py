"""Yoyo's recon file: what the simulator really did comes back, and what is wrong is reported with its line."""

from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.pair_support import Pair
from providers.provider_support import R1, R2, SAMPLE_TIME, an_id
from providers.yoyo.yoyo_support import CODE, advice_order, coupon_order, provision_order, redeem_order, redeemed, sold
from voucherswitch.message.outcomes import Acknowledged
from voucherswitch.providers.contract.simulator.recon import FILE_FAULTS
from voucherswitch.providers.contract.statements import BadLine, RowType, Statement, StatementRow
from voucherswitch.providers.yoyo.statement import HEADER, read_statement

NAME = "yoyo_recon_4711_20260302.csv"
SALE = "vsw-5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13\t900145\t\tSALE\t10000\t2026-03-02T14:15:16+0200\tS001"
REDEEM = f"{R2}\t900145\t70001234\tREDEEM\t4000\t2026-03-02T15:00:00+0200\tS001"
REVERSAL = SALE.replace("SALE", "REVERSAL").replace("\t10000\t", "\t-10000\t")
SAST = timezone(timedelta(hours=2))


def read(*lines: str, name: str = NAME) -> Statement:
    return read_statement(name, "".join(f"{line}\n" for line in lines).encode())


async def file_of(yoyo: Pair, fault: str | None = None) -> tuple[str, bytes, int]:
    query = {} if fault is None else {"fault": fault}
    answer = await yoyo.control("GET", "/recon", date="2026-03-02", **query)
    name = answer.headers.get("content-disposition", "").partition('filename="')[2].rstrip('"')
    return name, answer.body, answer.status


async def test_the_sample_is_what_the_simulator_writes(yoyo: Pair) -> None:
    await yoyo.at(SAMPLE_TIME)
    await sold(yoyo)
    name, content, _ = await file_of(yoyo)
    assert (name, content) == (NAME, f"{HEADER}\n{SALE}\n#rows\t1\t10000\n".encode())


def test_the_sample_is_read() -> None:
    assert read(HEADER, SALE, "#rows\t1\t10000") == Statement(
        day=date(2026, 3, 2),
        rows=(
            StatementRow(
                line=2,
                provider_ref="900145",
                request_id=R1,
                type=RowType.SALE,
                serial="900145",
                cents=10_000,
                at=datetime(2026, 3, 2, 14, 15, 16, tzinfo=SAST),
                store="S001",
            ),
        ),
        bad_lines=(),
        problems=(),
    )


async def test_what_happened_comes_back_from_the_file(yoyo: Pair) -> None:
    """Redemptions when they are finalised, by their request's id; issues and their reversals by theirs."""
    await yoyo.at(SAMPLE_TIME)
    connector = yoyo.connector
    await sold(yoyo)
    kept, held, undone = [
        (await redeemed(yoyo, redeem_order(amount_cents=1_000, request_id=an_id(number)))).refs for number in range(3)
    ]
    assert held["wiTrxId"] == "70001235"
    assert await connector.confirm_redeem(advice_order(an_id(0), kept), yoyo.call()) == Acknowledged()
    assert await connector.reverse_redeem(advice_order(an_id(2), undone), yoyo.call()) == Acknowledged()
    second = await sold(yoyo, provision_order(request_id=an_id(3), amount_cents=2_000))
    assert await connector.reverse(advice_order(an_id(3), second.refs), yoyo.call()) == Acknowledged()
    await sold(yoyo, coupon_order(an_id(4)))
    customer = yoyo.with_settings(user_ref_mode="customer")
    await customer.provision(provision_order(request_id=an_id(5), msisdn="27820000001"), yoyo.call())
    await yoyo.control("POST", "/vouchers", {"valueCents": 7_000})

    name, content, _ = await file_of(yoyo)
    statement = read_statement(name, content)
    assert statement.is_whole
    assert [(row.type.value, row.request_id, row.provider_ref, row.serial, row.cents) for row in statement.rows] == [
        ("SALE", R1, "900145", "900145", 10_000),
        ("REDEEM", an_id(0), "70001234", "900145", 1_000),
        ("SALE", an_id(3), "900146", "900146", 2_000),
        ("REVERSAL", an_id(3), "900146", "900146", -2_000),
        ("SALE", an_id(4), "900147", "900147", 5_000),
        ("SALE", "", "900148", "900148", 10_000),
    ]
    assert statement.total_cents == 26_000
    assert CODE.encode() not in content
    assert "27820000001" not in repr(statement)


@pytest.mark.parametrize("fault", FILE_FAULTS)
async def test_every_file_fault_is_seen(yoyo: Pair, fault: str) -> None:
    await yoyo.at(SAMPLE_TIME)
    for number in range(2):
        await sold(yoyo, provision_order(request_id=an_id(number)))
    name, content, status = await file_of(yoyo, fault)
    if fault == "late":
        assert status == 404
        return
    statement = read_statement(name, content)
    # A missing, an extra and a wrong row are consistent files: the match with our own records finds those.
    assert statement.is_whole is (fault in ("missing_row", "extra_row", "wrong_amount", "empty_day"))
    expected = {"missing_row": 10_000, "extra_row": 30_000, "wrong_amount": 20_001, "empty_day": 0}
    if fault in expected:
        assert statement.total_cents == expected[fault]
    elif fault == "duplicate_row":
        assert [bad.reason for bad in statement.bad_lines] == ["it repeats line 2"]
    else:
        assert statement.problems


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "it has 1 fields, not 7"),
        (SALE + "\tx", "it has 8 fields, not 7"),
        (SALE.replace("\t", ","), "it has 1 fields, not 7"),
        (SALE.replace("900145", ""), "reference or itemId is empty"),
        (REDEEM.replace("70001234", ""), "wiTrxId is missing for REDEEM"),
        (SALE.replace("900145\t\t", "900145\t7\t"), "wiTrxId is there for SALE"),
        (SALE.replace("SALE", "SOLD"), "the type is none of SALE, REVERSAL, REDEEM, REDEEM_REVERSAL, REFUND"),
        (SALE.replace("\t10000\t", "\t100.00\t"), "the amount is not a whole number of cents other than 0"),
        (SALE.replace("\t10000\t", "\t-10000\t"), "the amount has the wrong sign for SALE"),
        (SALE.replace("+0200", ""), "the time has no offset"),
        (SALE.replace("2026-03-02T", "2026-03-03T"), "the time is on another day than the file's"),
        (REDEEM, "it repeats line 3"),
    ],
)
def test_a_bad_line_is_reported_and_the_rest_is_read(line: str, reason: str) -> None:
    other = SALE.replace("900145", "900999")
    statement = read(HEADER, other, REDEEM, line, REVERSAL, "#rows\t4\t0")
    assert statement.bad_lines == (BadLine(4, reason),)
    assert [row.line for row in statement.rows] == [2, 3, 5]
    assert not statement.is_whole


def test_what_is_wrong_with_the_whole_file_is_reported() -> None:
    assert read(HEADER, SALE).problems == ("there is no trailer: the file is cut",)
    assert read(HEADER, SALE, "#rows\t2\t10000").problems == ("the trailer counts 2 rows, the file has 1",)
    assert read(HEADER, SALE, "#rows\t1\t1").problems == ("the trailer's sum is 1, the rows make 10000",)
    assert "the first line is not the header" in read(SALE, "#rows\t1\t10000").problems
    assert read(HEADER, SALE, "#rows\t1\t10000", REDEEM).bad_lines == (BadLine(4, "it comes after the trailer"),)
    assert read(HEADER, SALE, "#rows\t1\t10000", name="yoyo_recon_4711_20260302_R1.csv").is_whole
    for name in ("yoyo_recon_20260302.csv", "yoyo_recon_4711_20260230.csv", "yoyo.csv"):
        assert read(HEADER, "#rows\t0\t0", name=name).problems == (
            "the name is not yoyo_recon_<retailerId>_<yyyyMMdd>.csv",
        )


def test_a_file_cut_anywhere_is_never_whole() -> None:
    content = "".join(f"{line}\n" for line in (HEADER, SALE, REVERSAL, REDEEM, "#rows\t3\t4000")).encode()
    assert read_statement(NAME, content).is_whole
    for size in range(len(content)):
        assert not read_statement(NAME, content[:size]).is_whole


@given(st.text(max_size=40), st.binary() | st.text("\t\n#rows0123SALE-:+ ").map(str.encode))
def test_no_bytes_make_the_reader_raise(name: str, content: bytes) -> None:
    assert isinstance(read_statement(name, content), Statement)
