"""The overview and the queue page: they count what the journal holds, and say what needs somebody."""

import json
import re
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from console.console_support import Console, Page, Rows, ago
from voucherswitch.console import queries
from voucherswitch.console.formats import NOTHING
from voucherswitch.journal.invariants import NAMED
from voucherswitch.message.states import State


def tile(page: Page, label: str) -> str:
    """The text of a tile of the overview."""
    found = re.search(rf'<span class="label">{label}</span>(.*?)</a>', page.body, re.DOTALL)
    assert found is not None, label
    return " ".join(re.sub(r"<[^>]+>", " ", found[1]).replace("\xa0", " ").split())


def row(page: Page, provider_id: str) -> list[str]:
    """The cells of a provider's line."""
    found = re.search(rf'<th scope="row"[^>]*>{provider_id}</th>(.*?)</tr>', page.body, re.DOTALL)
    assert found is not None, provider_id
    cells = re.findall(r"<td[^>]*>(.*?)</td>", found[1], re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", " ", cell).replace("\xa0", " ").split()) for cell in cells]


async def test_an_empty_journal_is_calm_and_says_how_to_begin(console: Console, rows: Rows) -> None:
    page = await console.get("/")
    assert page.status == 200
    assert tile(page, "Unresolved") == "0 Every outcome is known"
    assert tile(page, "Money at risk") == "0 Every reversal could be told"
    assert tile(page, "Advices parked") == "0 Nothing to decide"
    assert "No requests in the last hour" in page.text
    assert "No provider is configured yet" in page.text


async def test_broken_invariants_are_shown_with_their_requests_and_what_to_do(console: Console, rows: Rows) -> None:
    assert tile(await console.get("/"), "Invariants broken") == "0 Not checked yet"
    await rows.checked("[]", ago(seconds=5))
    assert tile(await console.get("/"), "Invariants broken") == "0 The journal agrees with itself"
    await rows.checked("[]", ago(hours=1))
    assert tile(await console.get("/"), "Invariants broken") == "0 Nobody has checked for 1 h"
    request_id = uuid4()
    breach = {"key": str(request_id), "request_id": str(request_id), "found": "2 advices <count>"}
    await rows.checked(json.dumps([{"name": "two_advices", "rows": [breach]}]), ago(seconds=5))
    page = await console.get("/")
    assert tile(page, "Invariants broken") == "1 The journal contradicts itself"
    assert f'href="/transactions/{request_id}"' in page.body
    assert "2 advices &lt;count&gt;" in page.body
    assert NAMED["two_advices"].purpose in page.text


async def test_unresolved_is_unknown_and_pending_whose_call_is_over(console: Console, rows: Rows) -> None:
    await rows.transaction(state=State.UNKNOWN, amount_cents=10_000, opened_at=ago(minutes=90))
    await rows.transaction(state=State.PENDING, amount_cents=5_000, call_until=ago(seconds=1))
    await rows.transaction(state=State.PENDING, amount_cents=2_500, call_until=None)
    await rows.transaction(state=State.PENDING, amount_cents=999_900, call_until=ago(seconds=-60))
    await rows.transaction(state=State.APPROVED)

    page = await console.get("/")
    assert tile(page, "Unresolved") == "3 R 175.00 at risk, oldest 1 h 30 min"
    listed = await console.get("/transactions?state=unresolved")
    assert listed.body.count("<tr>") - 1 == 3, "the tile's link shows exactly what the tile counts"


async def test_a_reversal_that_its_provider_takes_none_of_is_money_at_risk(console: Console, rows: Rows) -> None:
    request_id = await rows.transaction(provider_id="stellr", state=State.REVERSED, amount_cents=10_000)
    await rows.advice(request_id, provider_id="stellr", kind=2, state=3, created_at=ago(minutes=5))
    confirmed = await rows.transaction(provider_id="stellr", state=State.CONFIRMED)
    await rows.advice(confirmed, provider_id="stellr", kind=1, state=3)

    assert tile(await console.get("/"), "Money at risk") == "1 R 100.00, reversed here only; oldest 5 min"
    listed = await console.get("/saf")
    assert str(request_id) in listed.body
    assert str(confirmed) not in listed.body


async def test_states_are_counted_for_the_day_and_drawn_for_the_hour(console: Console, rows: Rows) -> None:
    for state, number in ((State.CONFIRMED, 4), (State.DECLINED, 2), (State.UNKNOWN, 1)):
        for _ in range(number):
            await rows.transaction(state=state)
    await rows.transaction(state=State.REVERSED, opened_at=ago(days=2))

    page = await console.get("/")
    assert (
        "7 requests in the last hour: 4 approved or confirmed, 2 declined or reversed, 1 pending or unknown"
        in page.text
    )
    today = datetime.now(UTC).date()
    for state, number in ((State.CONFIRMED, 4), (State.DECLINED, 2), (State.REVERSED, 0)):
        link = f'href="/transactions?state={state.name.lower()}&amp;day={today}">\n      <span class="number">{number}<'
        assert link in page.body, state


async def test_a_provider_that_cannot_be_used_says_why(console: Console, rows: Rows) -> None:
    fault = "providers.flash.api_key is missing; set it to the credential that the provider gave us"
    await rows.provider("flash")
    await rows.insert("provider_fault", provider_id="flash", fault=fault)

    assert row(await console.get("/"), "flash")[0] == f"Cannot be used {fault}"
    assert (await console.get("/health")).json()["provider_faults"] == {"flash": fault}


async def test_each_provider_shows_its_state_its_hour_and_what_it_is_owed(console: Console, rows: Rows) -> None:
    await rows.provider("karoo", saf_paused=True)
    await rows.provider("protea", enabled=False)
    for number in range(4):
        await rows.insert(
            "lane", provider_id="karoo", lane=number, holder="w", expires_at=ago(seconds=-9 if number else 9)
        )
    for state in (State.CONFIRMED, State.APPROVED, State.DECLINED, State.UNKNOWN):
        request_id = await rows.transaction(provider_id="karoo", state=state)
    await rows.advice(request_id, provider_id="karoo", created_at=ago(minutes=5))
    await rows.advice(request_id, provider_id="karoo", by_switch=True, next_attempt_at=ago(seconds=-30))
    await rows.advice(request_id, provider_id="karoo", state=4)
    await rows.advice(request_id, provider_id="gone")

    page = await console.get("/")
    assert row(page, "karoo") == ["On Delivery paused", "4", "50.0 %", "1", "1", "2", "5 min", "1", "3 of 4"]
    assert row(page, "protea") == ["Off", "0", NOTHING, "0", "0", "0", NOTHING, "0", "No worker"]
    assert row(page, "gone")[:1] == ["Not configured"], "an advice for nobody is not hidden"
    assert tile(page, "Advices parked") == "1 A person must decide"
    assert tile(page, "Advices queued") == "3 Oldest 5 min, 1 held by design"


async def test_counts_that_take_too_long_leave_the_rest_of_the_page(
    console: Console, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is unresolved and parked is known in an instant; it must not be lost with a count over millions."""
    monkeypatch.setattr("voucherswitch.console.reader.COUNTS_MS_MAX", 20)
    monkeypatch.setattr(queries, "_LAST_HOUR", "SELECT pg_sleep(10) LIMIT 1")
    monkeypatch.setattr(queries, "_BY_STATE", "SELECT pg_sleep(10) FROM (SELECT $1::timestamptz, $2::timestamptz) AS t")
    await rows.transaction(state=State.UNKNOWN)

    page = await console.get("/")
    assert page.status == 200
    assert tile(page, "Unresolved").startswith("1 R 150.00 at risk")
    assert page.text.count("Counting them took too long") == 2


async def test_the_queue_shows_parked_advices_first_with_their_last_error(console: Console, rows: Rows) -> None:
    await rows.provider("calm")
    await rows.provider("sandbox")
    request_id = await rows.transaction(amount_cents=15_000)
    await rows.advice(request_id, attempts=3, last_error="HTTP 503", created_at=ago(hours=2), kind=2)
    await rows.advice(
        request_id, state=4, attempts=1, last_error="refused: E404 unknown voucher", finished_at=ago(hours=1)
    )
    await rows.advice(request_id, state=2, last_error="of a delivered one")

    page = await console.get("/saf")
    text = page.text
    assert text.index("Parked: a person must decide") < text.index("E404 unknown voucher") < text.index("HTTP 503")
    assert text.index("sandbox") < text.index("calm"), "who is owed something comes first"
    assert text.count("Every advice is delivered.") == 1
    assert "of a delivered one" not in text
    assert f'href="/transactions/{request_id}"' in page.body
    assert "R\xa0150.00" in text, "an advice for the whole shows what the whole is worth"


async def test_a_long_queue_is_cut_and_says_so(console: Console, rows: Rows) -> None:
    await rows.provider()
    request_id = await rows.transaction()
    for number in range(30):
        await rows.advice(request_id, last_error=f"error {number:02d}", attempts=1)

    page = await console.get("/saf")
    assert "30, the oldest 25 shown" in page.text
    assert "error 24" in page.text
    assert "error 25" not in page.text


async def test_advices_without_a_provider_are_not_hidden(console: Console, rows: Rows) -> None:
    await rows.advice(await rows.transaction(provider_id=None), provider_id=None)
    page = await console.get("/saf")
    assert page.status == 200
    assert "These advices name no provider, so nobody will send them." in page.text
