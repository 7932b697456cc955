"""Stock files: what is exported is read back, and a file with anything wrong is refused whole (4.6)."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.hollywoodbets.hollywoodbets_support import Hollywoodbets, lookup_order, provision_order
from providers.provider_support import R1, SAMPLE_TIME
from voucherswitch.message.outcomes import Approved
from voucherswitch.providers.contract.simulator.check_digits import luhn
from voucherswitch.providers.hollywoodbets import stock as stock_module
from voucherswitch.providers.hollywoodbets.stock import (
    StockBatch,
    StockItem,
    StockRefusedError,
    read_stock,
    stock_file_name,
    write_stock,
)

NAME = "STK_sim-partner_B260302.txt"
HEADER = "STKH|B260302|02/03/2026"
LINE = "STKD|4100000001|100.00|02/03/2029|00471203869"
SAMPLE = f"{HEADER}\n{LINE}\nSTKT|1\n".encode()
BATCH = StockBatch(
    partner="sim-partner",
    batch_no="B260302",
    day=date(2026, 3, 2),
    items=(StockItem(serial="4100000001", cents=10_000, expires_on=date(2029, 3, 2), pin="00471203869"),),
)


def read(*lines: str, name: str = NAME, known: tuple[str, ...] = ()) -> StockBatch:
    return read_stock(name, "".join(f"{line}\n" for line in lines).encode(), "sim-partner", known)


def reasons(*lines: str, name: str = NAME, known: tuple[str, ...] = ()) -> tuple[str, ...]:
    with pytest.raises(StockRefusedError) as refused:
        read(*lines, name=name, known=known)
    assert not any("00471203869" in text for text in (str(refused.value), repr(refused.value)))
    return refused.value.reasons


def test_the_sample_byte_for_byte_both_ways() -> None:
    assert stock_file_name("sim-partner", "B260302") == NAME
    assert write_stock(BATCH) == SAMPLE
    assert read_stock(NAME, SAMPLE, "sim-partner") == BATCH


def test_no_repr_shows_a_pin() -> None:
    assert "00471203869" not in repr(BATCH)
    assert "00471203869" not in str(BATCH.items[0])


def test_an_empty_batch_is_a_batch() -> None:
    assert read(HEADER, "STKT|0").items == ()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "it is not a line STKD with serial, face value, expiry and PIN"),
        ("STKT|1", "it is not a line STKD with serial, face value, expiry and PIN"),
        (LINE + "|x", "it is not a line STKD with serial, face value, expiry and PIN"),
        (LINE.replace("00471203869", "471203869"), "it is not a line STKD with serial, face value, expiry and PIN"),
        (LINE.replace("4100000001", "410000001"), "it is not a line STKD with serial, face value, expiry and PIN"),
        (LINE.replace("100.00", "100"), "it is not a line STKD with serial, face value, expiry and PIN"),
        (LINE.replace("100.00", "-100.00"), "it is not a line STKD with serial, face value, expiry and PIN"),
        (LINE.replace("100.00", "0.00"), "the face value is zero"),
        (LINE.replace("02/03/2029", "30/02/2029"), "the expiry is not a day"),
        (LINE.replace("02/03/2029", "01/03/2026"), "it had expired when the file was made"),
        (LINE.replace("00471203869", "00471203860"), "the PIN's check digit is wrong"),
        (LINE, "its serial or its PIN is in the file twice"),
        (LINE.replace("4100000001", "4100000002"), "its serial or its PIN is in the file twice"),
        (LINE.replace("00471203869", "00471203877"), "its serial or its PIN is in the file twice"),
    ],
)
def test_one_bad_line_refuses_the_whole_batch(line: str, reason: str) -> None:
    assert reasons(HEADER, LINE, line, "STKT|2") == (f"line 3: {reason}",)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ((HEADER, LINE, "STKT|2"), ("the trailer counts 2 lines, the file has 1",)),
        ((HEADER, LINE, "STKT|0"), ("the trailer counts 0 lines, the file has 1",)),
        ((HEADER, LINE), ("there is no trailer: the file is cut",)),
        ((LINE, "STKT|0"), ("the first line is not the header",)),
        (("STKH|B260302|30/02/2026", LINE, "STKT|1"), ("the first line is not the header",)),
        (("STKH|B260303|02/03/2026", LINE, "STKT|1"), ("the header is of another batch than the name",)),
        ((), ("the first line is not the header", "there is no trailer: the file is cut")),
    ],
)
def test_a_frame_that_does_not_hold_refuses_the_batch(lines: tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert reasons(*lines) == expected


def test_a_batch_is_taken_once() -> None:
    assert reasons(HEADER, LINE, "STKT|1", known=("B260301", "B260302")) == ("the batch was taken before",)
    assert read(HEADER, LINE, "STKT|1", known=("B260301",)) == BATCH


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("STK_other_B260302.txt", "the name is of another partner"),
        ("STK_sim-partner_B260303.txt", "the header is of another batch than the name"),
        ("STK_B260302.txt", "the name is not STK_<partner>_<batchNo>.txt"),
        (NAME.replace(".txt", ".csv"), "the name is not STK_<partner>_<batchNo>.txt"),
        ("", "the name is not STK_<partner>_<batchNo>.txt"),
    ],
)
def test_a_name_that_does_not_belong_refuses_the_batch(name: str, reason: str) -> None:
    assert reasons(HEADER, LINE, "STKT|1", name=name) == (reason,)


def test_a_file_cut_anywhere_or_with_strange_bytes_is_refused() -> None:
    for size in range(len(SAMPLE)):
        with pytest.raises(StockRefusedError):
            read_stock(NAME, SAMPLE[:size], "sim-partner")
    for content in (b"\xef\xbb\xbf" + SAMPLE, SAMPLE.replace(b"\n", b"\r\n"), SAMPLE.replace(b"STKD", b"ST\xffD")):
        with pytest.raises(StockRefusedError):
            read_stock(NAME, content, "sim-partner")


def test_a_batch_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stock_module, "ITEMS_MAX", 1)
    other = LINE.replace("4100000001", "4100000002").replace("00471203869", "00471203877")
    assert reasons(HEADER, LINE, other, "STKT|2") == ("it has more than 1 lines",)


@given(content=st.binary() | st.text("STKDHT|0123456789/.\n").map(str.encode))
def test_no_bytes_make_the_reader_raise_anything_else(content: bytes) -> None:
    with pytest.raises(StockRefusedError):
        read_stock(NAME, content, "sim-partner")


# The simulator's export


async def test_an_export_is_a_batch_of_pins_that_the_provider_knows(hollywoodbets: Hollywoodbets) -> None:
    await hollywoodbets.at(SAMPLE_TIME)
    one = await hollywoodbets.control("GET", "/stock", count="1")
    assert (one.status, one.headers["content-type"], one.body) == (200, "text/plain; charset=utf-8", SAMPLE)
    assert one.headers["content-disposition"] == f'attachment; filename="{NAME}"'
    more = await hollywoodbets.control("GET", "/stock", count="50")
    name = more.headers["content-disposition"].split('"')[1]
    assert name == "STK_sim-partner_B260302-2.txt"
    batch = read_stock(name, more.body, "sim-partner", ("B260302",))
    assert len({item.pin for item in batch.items}) == 50
    assert all(luhn(item.pin[:-1]) == item.pin[-1] for item in batch.items)
    found = await hollywoodbets.connector.lookup(lookup_order(batch.items[-1].pin), hollywoodbets.call())
    assert isinstance(found, Approved)
    assert (found.approved_cents, found.voucher_state) == (10_000, "UNUSED")
    # Issued in advance and paid by other means: neither in the float nor in the daily file.
    totals = await hollywoodbets.totals()
    assert (totals["floatCents"], totals["centsByType"]["SALE"]) == (100_000_000, 0)
    sold = await hollywoodbets.connector.provision(provision_order(R1), hollywoodbets.call())
    assert isinstance(sold, Approved)
    assert sold.voucher is not None
    assert sold.voucher.code not in {item.pin for item in batch.items}


@pytest.mark.parametrize(
    "query", [{}, {"count": "0"}, {"count": "10001"}, {"count": "x"}, {"count": "1", "value": "2"}]
)
async def test_an_export_says_how_many(hollywoodbets: Hollywoodbets, query: dict[str, str]) -> None:
    assert (await hollywoodbets.control("GET", "/stock", **query)).status == 400
    assert (await hollywoodbets.control("POST", "/stock", {"count": 1})).status == 404
