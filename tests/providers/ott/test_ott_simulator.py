"""The simulated OTT itself, past our connector: the samples byte for byte, how strict it is, and its control API."""

from pathlib import Path

import msgspec
import pytest

from providers.ott.ott_support import (
    FAILED,
    GET_VOUCHER,
    ISSUED,
    ISSUING,
    KEY,
    PIN,
    REDEMPTION,
    REMIT_VOUCHER,
    REMITTED,
    SAMPLE_AUTHORIZATION,
    Ott,
)
from providers.provider_support import R1, R2, SAMPLE_TIME, http
from voucherswitch.providers.ott.signing import signed_form
from voucherswitch.providers.ott.simulator import PORT, start

SALE = {"branch": "S001", "cashier": "C07", "uniqueReference": R1, "value": "100.00", "vendorCode": "11"}
REMIT = {"pin": PIN, "uniqueReference": R2, "vendorID": "22", "amount": "100.00"}


async def test_the_samples_answers_byte_for_byte(ott: Ott) -> None:
    await ott.at(SAMPLE_TIME)
    sale = await ott.send(f"{ISSUING}/GetVoucher", GET_VOUCHER)
    assert (sale.status, sale.headers["content-type"], sale.body) == (200, "application/json", ISSUED)
    assert sale.headers["date"] == "Mon, 02 Mar 2026 12:15:16 GMT"
    assert (await ott.raw(f"{ISSUING}/ConfirmVoucher", uniqueReference=R1)).status == 200
    remit = await ott.send(f"{REDEMPTION}/RemitVoucher", REMIT_VOUCHER)
    assert (remit.status, remit.body) == (200, REMITTED)
    small = await ott.raw(f"{ISSUING}/GetVoucher", **(SALE | {"value": "4.99"}))
    assert (small.status, small.body) == (201, FAILED)


async def test_check_remit_and_check_voucher_tell_what_the_section_lists(ott: Ott) -> None:
    await ott.confirmed()
    check = await ott.raw(f"{REDEMPTION}/CheckVoucher", vendorID="22", voucherPIN=PIN)
    assert check.json == {"success": "true", "voucherID": 7_000_001, "serial": "500600700800", "value": "100.00"}
    await ott.send(f"{REDEMPTION}/RemitVoucher", REMIT_VOUCHER)
    remit = (await ott.raw(f"{REDEMPTION}/CheckRemitVoucher", uniqueReference=R2)).json
    assert list(remit) == ["success", "voucherID", "voucherAmount", "voucherBalance", "message", "serialNumber"]


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("GetVoucher", {name: value for name, value in SALE.items() if name != "branch"}),
        ("GetVoucher", SALE | {"extra": "1"}),
        ("GetVoucher", SALE | {"value": "100"}),
        ("GetVoucher", SALE | {"value": "1,000.00"}),
        ("GetVoucher", SALE | {"value": "-100.00"}),
        ("GetVoucher", SALE | {"cashier": "x" * 51}),
        ("GetVoucher", SALE | {"mobileForSMS": "082"}),
        ("CheckVoucher", {"uniqueReference": R1, "vendorCode": "11"}),
    ],
)
async def test_a_message_of_another_form_is_refused(ott: Ott, path: str, parameters: dict[str, str]) -> None:
    answer = await ott.raw(f"{ISSUING}/{path}", **parameters)
    assert (answer.status, answer.headers["content-type"]) == (400, "text/plain")
    assert (await ott.totals())["vouchers"] == 0


async def test_an_empty_optional_parameter_is_refused_because_it_must_be_left_out(ott: Ott) -> None:
    form = signed_form(SALE, KEY).replace(b"&hash", b"&till=&hash")
    assert (await ott.send(f"{ISSUING}/GetVoucher", form)).status == 400


@pytest.mark.parametrize(
    "body",
    [
        b"branch",
        b"{}",
        signed_form(SALE, KEY) + b"&branch=S001",
        signed_form(SALE, KEY) + b"&x=%ff",
        "&".join(f"p{n}=1" for n in range(30)).encode(),
    ],
)
async def test_a_body_that_is_no_form_is_refused(ott: Ott, body: bytes) -> None:
    assert (await ott.send(f"{ISSUING}/GetVoucher", body)).status == 400


async def test_credentials_the_hash_and_the_content_type_are_checked_exactly(ott: Ott) -> None:
    path = f"{ISSUING}/GetVoucher"
    for value in ("", "Basic", f"basic {SAMPLE_AUTHORIZATION}", f"Basic {SAMPLE_AUTHORIZATION[:-1]}", "Bearer x"):
        answer = await ott.send(path, GET_VOUCHER, Authorization=value)
        assert (answer.status, answer.body) == (401, b"")
    for body in (GET_VOUCHER[:-1], GET_VOUCHER + b"0", GET_VOUCHER[:-64] + GET_VOUCHER[-64:].upper()):
        assert (await ott.send(path, body)).body == b"Invalid hash"
    for unsigned in (GET_VOUCHER.rpartition(b"&")[0], b""):
        assert (await ott.send(path, unsigned)).status == 401
    assert (await ott.send(path, GET_VOUCHER, Content_Type="application/json")).status == 400
    assert (await ott.totals())["vouchers"] == 0


async def test_other_paths_and_methods_are_no_calls(ott: Ott) -> None:
    for path in ("/api/v1/GetVoucher", f"{ISSUING}/RemitVoucher", f"{ISSUING}/GetVoucher?x=1", "/", ISSUING):
        assert (await ott.send(path, GET_VOUCHER)).status == 404
    assert (await http("GET", f"{ott.simulator.url}{ISSUING}/GetVoucher")).status == 404


async def test_a_wrong_vendor_code_has_no_branch(ott: Ott) -> None:
    answer = await ott.raw(f"{ISSUING}/GetVoucher", **(SALE | {"vendorCode": "12"}))
    assert (answer.status, answer.json["errorCode"]) == (201, "941")
    found = await ott.raw(f"{REDEMPTION}/CheckVoucher", vendorID="23", voucherPIN=PIN)
    assert found.json["errorCode"] == "906"


async def test_the_balance_follows_sales_reversals_and_redemptions(ott: Ott) -> None:
    async def balance() -> str:
        told = (await ott.raw(f"{ISSUING}/GetBalance", uniqueReference=R2)).json
        assert told["availableBalance"] == told["balance"]
        return str(told["balance"])

    assert await balance() == "1,000,000.00"
    await ott.send(f"{ISSUING}/GetVoucher", GET_VOUCHER)
    assert await balance() == "999,900.00"
    await ott.raw(f"{ISSUING}/RejectVoucher", uniqueReference=R1)
    assert await balance() == "1,000,000.00"
    await ott.control("POST", "/float", {"cents": -150})
    assert await balance() == "-1.50"


async def test_the_key_changes_by_call_and_by_control_and_comes_back_with_a_reset(ott: Ott) -> None:
    assert (await ott.raw(f"{ISSUING}/GetAPIKey", uniqueReference=R1)).json == {
        "success": "true",
        "apiKey": "EXAMPLE-KEY-0002",
    }
    assert (await ott.raw(f"{ISSUING}/GetBalance", uniqueReference=R1)).status == 401
    assert (await ott.raw(f"{ISSUING}/GetBalance", "EXAMPLE-KEY-0002", uniqueReference=R1)).status == 200
    assert (await ott.control("POST", "/keys")).json == {"apiKey": "EXAMPLE-KEY-0003"}
    await ott.control("POST", "/reset")
    assert (await ott.raw(f"{ISSUING}/GetBalance", uniqueReference=R1)).status == 200


async def test_a_declined_attempt_does_not_use_up_its_reference(ott: Ott) -> None:
    await ott.raw(f"{ISSUING}/GetVoucher", **(SALE | {"branch": "S999"}))
    assert (await ott.raw(f"{ISSUING}/GetVoucher", **SALE)).status == 200
    refused = await ott.raw(f"{REDEMPTION}/RemitVoucher", **REMIT)
    assert refused.json["errorCode"] == "905"
    await ott.raw(f"{ISSUING}/ConfirmVoucher", uniqueReference=R1)
    assert (await ott.raw(f"{REDEMPTION}/RemitVoucher", **REMIT)).status == 200


async def test_the_journal_knows_what_took_effect(ott: Ott) -> None:
    await ott.send(f"{ISSUING}/GetVoucher", GET_VOUCHER)
    await ott.raw(f"{REDEMPTION}/RemitVoucher", **REMIT)
    first, second = await ott.journal()
    assert (first["op"], first["reference"], first["processed"], first["status"]) == ("provision", R1, True, 200)
    assert (second["op"], second["reference"], second["processed"], second["status"]) == ("redeem", R2, False, 201)
    assert PIN not in str(await ott.journal())
    assert len(await ott.journal(op="RemitVoucher")) == 1


async def test_state_is_found_by_sale_by_remit_and_by_code(ott: Ott) -> None:
    await ott.confirmed()
    await ott.raw(f"{REDEMPTION}/RemitVoucher", **(REMIT | {"amount": "40.00"}))
    shown = await ott.state(reference=R1)
    assert (shown["state"], shown["valueCents"], shown["balanceCents"]) == ("REDEEMED", 10_000, 6_000)
    assert shown == await ott.state(reference=R2)
    assert shown == (await ott.control("GET", "/state", code=PIN)).json
    assert (await ott.control("GET", "/state", reference="nobody")).status == 404


async def test_seeded_vouchers_and_the_world(ott: Ott) -> None:
    seeded = await ott.control("POST", "/vouchers", {"valueCents": 5_000, "code": "111122223333"})
    assert (seeded.status, seeded.json["state"]) == (201, "CONFIRMED")
    for wanted in (
        {"valueCents": 1, "code": "111122223333"},
        {"valueCents": 1, "code": "short"},
        {"valueCents": 1, "productRef": "other"},
        {"valueCents": 1, "state": "SOLD"},
    ):
        assert (await ott.control("POST", "/vouchers", wanted)).status in (400, 409)
    await ott.world("111122223333", "REDEEM")
    assert (await ott.control("POST", "/vouchers/events", {"code": "111122223333", "event": "BLOCK"})).status == 409
    # A PIN that is taken is passed over when the count comes to it.
    await ott.control("POST", "/vouchers", {"valueCents": 1, "code": "100200300402"})
    pins = [(await ott.issued(f"{n:08x}-0000-4000-8000-000000000000")).code for n in range(2)]
    assert "100200300402" not in pins


async def test_a_voucher_blocked_after_its_confirmation_cannot_be_rejected_and_before_it_can(ott: Ott) -> None:
    await ott.confirmed()
    other = await ott.issued(R2)
    for code in (PIN, other.code):
        await ott.world(code, "BLOCK")
    assert (await ott.raw(f"{ISSUING}/RejectVoucher", uniqueReference=R1)).json["errorCode"] == "922"
    assert (await ott.raw(f"{ISSUING}/RejectVoucher", uniqueReference=R2)).status == 200


async def test_unknown_profiles_control_calls_and_faults_are_refused(ott: Ott) -> None:
    assert (await ott.control("POST", "/profile", {"autoRejectMin": -1})).status == 400
    assert (await ott.control("POST", "/profile", {"autoReject": 1})).status == 400
    assert (await ott.control("POST", "/tokens/expire")).status == 404
    assert (await ott.control("GET", "/keys")).status == 404
    assert (await ott.control("POST", "/faults", {"op": "*", "kind": "voucher_gone"})).status == 400
    assert (await ott.control("POST", "/faults", {"op": "products", "kind": "delay"})).status == 400


async def test_a_fault_that_finds_nothing_to_spoil_leaves_the_answer(ott: Ott) -> None:
    await ott.confirmed()
    for kind in ("no_pin", "wrong_amount", "voucher_object", "voucher_unreadable"):
        await ott.fault(kind)
        answer = await ott.raw(f"{ISSUING}/ConfirmVoucher", uniqueReference=R1)
        assert answer.json == {"success": "true", "message": "Confirmed"}
        await ott.fault(kind)
        assert (await ott.raw(f"{ISSUING}/CheckVoucher", uniqueReference=R2)).json["errorCode"] == "1"


async def test_it_listens_where_it_is_told_and_writes_its_files(tmp_path: Path) -> None:
    assert PORT == 9106
    async with start(outbox_dir=tmp_path, float_cents=10_000) as simulator:
        control = f"{simulator.control_url}/__sim"
        totals = msgspec.json.decode((await http("GET", f"{control}/state")).body)
        assert totals["floatCents"] == 10_000
        await http("GET", f"{control}/recon?date=2026-03-02")
        assert (tmp_path / "OTT_STATEMENT_11_20260302.csv").read_text().startswith("Date,UniqueReference")
    with pytest.raises(ValueError, match="loopback"):
        async with start("192.0.2.1"):
            pass
