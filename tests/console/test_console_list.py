"""The list of transactions: filters that find, filters that are refused, and pages that miss nothing."""

import re
from urllib.parse import quote
from uuid import UUID, uuid4

import pytest

from console.console_support import HOSTILE, Console, Page, Rows, ago
from voucherswitch.message.states import Kind, State


def ids(page: Page) -> list[UUID]:
    """The request ids of a list in their order."""
    assert page.status == 200, page.body
    return [UUID(found) for found in re.findall(r'<a class="id" href="/transactions/([0-9a-f-]{36})', page.body)]


def link(page: Page, rel: str) -> str | None:
    """Where "Newer" (prev) or "Older" (next) leads."""
    found = re.search(rf'rel="{rel}" href="([^"]+)"', page.body)
    return None if found is None else found[1].replace("&amp;", "&")


async def test_the_newest_comes_first(console: Console, rows: Rows) -> None:
    old = await rows.transaction(opened_at=ago(days=400))
    new = await rows.transaction(opened_at=ago(seconds=1))
    middle = await rows.transaction(opened_at=ago(hours=1))
    assert ids(await console.get("/transactions")) == [new, middle, old]


async def test_paging_there_and_back_shows_every_row_once(console: Console, rows: Rows) -> None:
    """Also among rows of the same microsecond, and with rows that arrive while somebody reads."""
    moment = ago(minutes=5)
    made = {await rows.transaction(opened_at=moment if number % 2 else ago(minutes=number)) for number in range(60)}

    page = await console.get("/transactions?size=25&state=confirmed")
    assert link(page, "prev") is None
    pages = [ids(page)]
    while (older := link(page, "next")) is not None:
        await rows.transaction(opened_at=ago(seconds=0))
        page = await console.get(older)
        pages.append(ids(page))
    assert [len(page) for page in pages] == [25, 25, 10]
    assert sorted(made) == sorted(request_id for page in pages for request_id in page)

    back: list[list[UUID]] = []
    while (newer := link(page, "prev")) is not None and len(back) < 2:
        page = await console.get(newer)
        back.append(ids(page))
    assert back == [pages[1], pages[0]]
    assert link(page, "prev") is not None, "two have arrived since"


async def test_each_filter_finds_its_own(console: Console, rows: Rows) -> None:
    wanted = await rows.transaction(
        kind=Kind.REFUND, state=State.DECLINED, originator_id="till-9", voucher_serial="SN-77", opened_at=ago(days=3)
    )
    for _ in range(3):
        await rows.transaction()
    day = ago(days=3).date()
    reference = await rows.reference(wanted)
    for query in (
        "state=declined",
        "kind=refund",
        "originator=till-9",
        "text=SN-77",
        f"day={day}",
        f"text={reference}",
        f"text=vsw-{int(reference[4:])}",
        f"state=Declined&kind=refund&originator=till-9&day={day}&text={wanted}",
    ):
        assert ids(await console.get(f"/transactions?{query}")) == [wanted], query
    assert ids(await console.get("/transactions?state=declined&kind=provision")) == []
    assert len(ids(await console.get("/transactions?state=&kind=&originator=&day=&text=&size=50"))) == 4


async def test_a_whole_id_goes_straight_to_its_page(console: Console, rows: Rows) -> None:
    request_id = await rows.transaction()
    advice_id = await rows.advice(request_id)
    refused_id = uuid4()
    await rows.insert("refusal", request_id=refused_id, originator_id="1", kind=1, operation="x", error="{}")
    for typed, found in ((request_id, request_id), (advice_id, request_id), (refused_id, refused_id)):
        page = await console.get(f"/transactions?text=+{str(typed).upper()}+")
        assert (page.status, page.headers["location"]) == (303, f"/transactions/{found}")

    assert ids(await console.get(f"/transactions?text={advice_id}&kind=provision")) == [request_id]
    page = await console.get(f"/transactions?text={uuid4()}")
    assert ids(page) == []
    assert "No transaction fits these filters" in page.text


async def test_a_use_of_an_id_beyond_the_first_is_told_apart(console: Console, rows: Rows) -> None:
    request_id = await rows.transaction(opened_at=ago(hours=2))
    await rows.transaction(request_id=request_id, generation=1)
    page = await console.get("/transactions")
    assert ids(page) == [request_id, request_id]
    assert f'href="/transactions/{request_id}#generation-1"' in page.body


async def test_a_tombstone_and_a_refusal_are_named(console: Console, rows: Rows) -> None:
    await rows.transaction(state=State.REVERSED, has_request=False, provider_id=None, amount_cents=None, currency=None)
    await rows.transaction(state=State.DECLINED, error='{"refusal":{"error_type":"INVALID_ACCOUNT"},"detail":{}}')
    page = await console.get("/transactions")
    assert "no request" in page.text
    assert "INVALID_ACCOUNT" in page.text


@pytest.mark.parametrize(
    "query",
    [
        "state=lost",
        "kind=4",
        "size=51",
        "size=99999999999999999999",
        "day=yesterday",
        "day=2026-02-30",
        "day=9999-12-31",
        "older=1",
        "older=1_2_3",
        "older=999999999999999999_" + "0" * 32 + "_0",
        "older=1_" + "f" * 32 + "_99999",
        "newer=%00",
        "older=1_" + "f" * 32 + "_0&newer=1_" + "f" * 32 + "_0",
        "text=" + "x" * 101,
        "text=a%00b",
        "originator=%00",
        "sate=pending",
        "state=pending&state=unknown",
        "%3Cscript%3E=1",
        "offset=100",
    ],
)
async def test_a_filter_that_cannot_be_is_refused_and_explained(console: Console, query: str) -> None:
    page = await console.get(f"/transactions?{query}")
    assert page.status == 400
    assert "This filter cannot be used" in page.text
    assert "<script>" not in page.body


@pytest.mark.parametrize(
    "query",
    [
        "text=%F0%9F%92%A5",
        "text=%FF%FE",
        "text=" + quote("'; DROP TABLE transaction; --"),
        "text=" + quote(HOSTILE),
        "originator=" + quote(HOSTILE),
        "text=VSW-999999999999999999",
        "text=VSW-99999999999999999999",
        "day=0001-01-01",
        "day=9999-12-30",
        "older=0_" + "0" * 32 + "_0",
        "older=253402300799999999_" + "f" * 32 + "_32767",
        "newer=253402300799999999_" + "f" * 32 + "_32767",
    ],
)
async def test_odd_but_possible_filters_find_nothing_or_something_quietly(
    console: Console, rows: Rows, query: str
) -> None:
    await rows.transaction()
    page = await console.get(f"/transactions?{query}")
    assert page.status == 200
    assert "<script>alert" not in page.body
    assert "<img src=x" not in page.body


async def test_a_search_that_takes_too_long_says_what_to_do(
    console: Console, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voucherswitch.console.reader.STATEMENT_MS_MAX", 100)
    async with rows.locked("transaction"):
        page = await console.get("/transactions?state=declined")
    assert page.status == 503
    assert "This takes too long" in page.text
    assert "Narrow the search" in page.text
    assert (await console.get("/transactions?state=declined")).status == 200
