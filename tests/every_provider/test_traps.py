"""What makes each provider different, as originators and operators meet it; the tests of its connector have more."""

import re
from datetime import timedelta
from typing import Any

import pytest

from every_provider.board import CENTS, Provider
from every_provider.test_end_to_end import at_risk
from support.messages import REMOVED, Json, a_redemption, applied, cash
from support.switch import Switch
from support.till import Till
from support.waiting import eventually
from voucherswitch.catalogue import store
from voucherswitch.catalogue.snapshot import Provider as Row

DAY = timedelta(days=1, minutes=5)
PART = 4_000


async def an_unknown_sale(provider: Provider, till: Till) -> Json:
    """A request that was processed and whose answer was lost."""
    request = provider.request()
    await provider.control.fault("drop_after", "provision", request["id"])
    answer = await till.post("/vouchers", request)
    assert answer.status == 504, answer
    return request


async def test_stellr_an_unknown_outcome_waits_for_its_file(
    board: dict[str, Provider], till: Till, switch: Switch
) -> None:
    """No query, no resend, no reversal: the PIN of the first answer is lost, and its daily file has the sale."""
    stellr = board["stellr"]
    request = await an_unknown_sale(stellr, till)

    assert (await till.retry(request)).error_type == "FUNCTION_NOT_SUPPORTED"
    assert (await till.reverse_voucher(request["id"])).status == 202

    assert len(await stellr.control.calls(request["id"])) == 1
    assert request["id"] in await at_risk(switch)


async def test_a_hostile_document_is_an_unknown_outcome_and_an_alarm(
    board: dict[str, Provider], till: Till, switch: Switch
) -> None:
    stellr = board["stellr"]
    request = stellr.request()
    await stellr.control.fault("doctype", "provision", request["id"])

    answer = await till.post("/vouchers", request)

    assert (answer.status, answer.error_type) == (504, "UPSTREAM_UNAVAILABLE"), answer
    record = await switch.record(request["id"])
    assert record is not None
    assert record["alert"] == "bad_answer"
    logged = switch.workers[0].text().splitlines()
    alarms = [line for line in logged if "provider needs attention" in line and "provider=stellr" in line]
    assert any("alert=bad_answer" in line for line in alarms), alarms


@pytest.mark.parametrize("name", ["netcare", "betway"])
async def test_tender_first_is_demanded_before_anything_is_sent(
    board: dict[str, Provider], till: Till, switch: Switch, name: str
) -> None:
    provider = board[name]
    request = applied(provider.request(), {"tenders": REMOVED})

    answer = await till.post("/vouchers", request)

    assert (answer.status, answer.error_type) == (400, "TRANSACTION_DECLINED"), answer
    assert answer.body["errorMessage"] == "Tender required before request"
    assert await provider.control.calls(request["id"]) == []


async def test_netcare_takes_the_exact_price_and_no_other(board: dict[str, Provider], till: Till) -> None:
    """A visit has a price: paying more is as wrong as paying less."""
    netcare = board["netcare"]
    request = applied(netcare.request(), {"tenders": [cash(CENTS + 100)]})

    assert (await till.post("/vouchers", request)).body["errorMessage"] == "Tender required before request"
    assert await netcare.control.calls(request["id"]) == []


async def test_flash_is_not_asked_again_after_its_replay_window(
    board: dict[str, Provider], till: Till, switch: Switch
) -> None:
    """Half an hour later the same reference would buy a second voucher."""
    flash = board["flash"]
    request = await an_unknown_sale(flash, till)
    await flash.age(request["id"], timedelta(minutes=31))

    late = await till.retry(request)

    assert (late.status, late.error_type) == (400, "FUNCTION_NOT_SUPPORTED"), late
    assert await switch.state(request["id"]) == "UNKNOWN"
    assert await flash.issued(request["id"]) == 1


async def test_hollywoodbets_is_only_queried_after_its_replay_window(board: dict[str, Provider], till: Till) -> None:
    hollywoodbets = board["hollywoodbets"]
    request = await an_unknown_sale(hollywoodbets, till)
    await hollywoodbets.age(request["id"], DAY)

    late = await till.retry(request)

    assert late.status == 201, late
    assert await hollywoodbets.issued(request["id"]) == 1


async def test_flash_gives_the_change_as_a_new_voucher_that_reaches_the_customer(
    board: dict[str, Provider], till: Till, switch: Switch
) -> None:
    """The slip shows it, and it can be spent: at this switch too, which never sold it."""
    flash = board["flash"]
    _, sale = await flash.confirmed()
    request = a_redemption(code=sale.code, cents=PART, receiver=flash.receiver)

    redeemed = await till.post("/redemptions", request)

    assert redeemed.status == 201, redeemed
    assert redeemed.body["voucher"]["code"] == sale.code
    flash.seeded += 1
    text = " ".join(line["text"] for line in redeemed.body["slipData"]["messageLines"])
    assert "R60.00" in text
    change = _digits(text, 16)
    assert (await till.confirm_redemption(request["id"])).status == 202
    spent = await till.redeem(change, cents=CENTS - PART, receiver=flash.receiver)
    assert spent.status == 201, spent
    for secret in (change, sale.code):
        traces = await switch.value(
            "SELECT count(*) FROM leg WHERE request_id = $1 AND (request LIKE $2 OR response LIKE $2)",
            request["id"],
            f"%{secret}%",
        )
        assert traces == 0


async def test_betway_fulfils_later_and_the_voucher_comes_inside_the_deadline(
    board: dict[str, Provider], till: Till
) -> None:
    betway = board["betway"]
    request, answer = await betway.sold()

    assert answer.code
    heard = [call["op"] for call in await betway.control.calls(request["id"])]
    assert heard.count("provision") >= 1
    assert len(heard) >= 2, "an order and at least one question after it"


async def test_supabets_a_sale_that_is_never_confirmed_lapses_at_the_provider(
    board: dict[str, Provider], till: Till, switch: Switch
) -> None:
    supabets = board["supabets"]
    request, _ = await supabets.sold()
    await supabets.control.advance(200_000)

    assert (await till.confirm_voucher(request["id"])).status == 202
    assert await supabets.told(request["id"]) == "PARKED"


async def test_a_provider_without_its_settings_fails_alone_and_says_why(
    board: dict[str, Provider], till: Till, switch: Switch
) -> None:
    async with switch.pool.acquire() as connection:
        known = (await store.load(connection)).providers["lottostar"]
        secrets = store.open_secrets(switch.vault, known)
        broken = Row(id="lottostar", connector="lottostar", settings=known.settings)
        await store.put_provider(connection, switch.vault, broken, {})

    async def refused() -> Any:
        answer = await till.post("/vouchers", board["lottostar"].request())
        return answer if answer.status != 201 else None

    answer = await eventually(refused, "a refusal of the provider without settings")
    assert answer.error_type == "ROUTING_ERROR", answer

    async def told() -> str:
        return str(await switch.value("SELECT fault FROM provider_fault WHERE provider_id = 'lottostar'") or "")

    assert "providers.lottostar." in await eventually(told, "the fault in the operators' view")
    await board["supabets"].sold()

    async with switch.pool.acquire() as connection:
        await store.put_provider(connection, switch.vault, known, secrets)

    async def sells() -> bool:
        return (await till.post("/vouchers", board["lottostar"].request())).status == 201

    await eventually(sells, "the provider with its settings again")

    async def mended() -> bool:
        return not await switch.rows("SELECT FROM provider_fault WHERE provider_id = 'lottostar'")

    await eventually(mended, "the fault taken back")


def _digits(text: str, length: int) -> str:
    """The code that a slip shows, in groups of four."""
    found = re.search(rf"(?<!\d)\d{{4}}(?: \d{{4}}){{{length // 4 - 1}}}(?!\d)", text)
    assert found is not None, text
    return found[0].replace(" ", "")
