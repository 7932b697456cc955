"""What may be seen afterwards: codes, PINs and persons are in no table, no log and no refusal in clear (§2, §8.1)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.client import Answer
from support.messages import a_provision, a_redemption, a_tender_confirmation, new_id, rand
from support.switch import Switch
from support.till import Till

# Every table that holds what originators and providers said, row by row as text; bytea shows as hexadecimal digits.
TABLES = ("transaction", "voucher", "leg", "advice", "refusal", "voucher_lookup")


async def everything_written(switch: Switch, request_ids: list[str]) -> str:
    """All rows about these requests, and the vouchers and lookups of everybody."""
    pieces = []
    for table in TABLES:
        where = "" if table in ("voucher", "voucher_lookup") else "WHERE request_id = ANY ($1::uuid[])"
        arguments = [request_ids] if where else []
        rows = await switch.rows(f"SELECT row_to_json(t)::text AS row FROM {table} AS t {where}", *arguments)
        pieces += [row["row"] for row in rows]
    return "\n".join(pieces)


def logs(folder: Path) -> Iterator[str]:
    """Everything that workers, senders and the database logged."""
    for path in (*folder.glob("switch*.log"), *folder.glob("worker*.log"), folder / "data" / "logs" / "postgres.log"):
        yield path.read_text(errors="replace")


async def test_no_code_pin_or_person_is_kept_in_clear(till: Till, switch: Switch) -> None:
    code = f"SECRET-{new_id()[:13]}"
    person = {
        "firstName": "Nomathemba",
        "lastName": "Secretperson",
        "msisdn": "+27825550143",
        "emailAddress": "nomathemba@secret.example",
        "dateOfBirth": "1961-07-18T00:00:00.000Z",
        "addressDetails": {"addressLine1": "8115 Vilakazi Street", "city": "Soweto", "postalCode": "ZQ18-04X"},
    }
    card = {"amount": rand(10_000), "tenderType": "CREDIT_CARD", "cardNumber": "4987654321098765"}
    request = a_provision(product="SBXPIN", voucher={"code": code}, recipient=person, tenders=[card])
    bought = await till.post("/vouchers", request)
    assert bought.status == 201
    pin = bought.body["voucher"]["pin"]
    duplicate = await till.post("/vouchers", request)
    await till.post("/vouchers/confirmations", a_tender_confirmation(request["id"], tenders=[card]))
    looked_up = await till.lookup(voucherCode=code)
    wrong_pin = {"type": "CLEAR_PIN", "pin": "918273645546372819"}
    wrong = a_redemption(code=code, voucher={"code": code, "pin": wrong_pin}, customer=person)
    declined = await till.post("/redemptions", wrong)
    right = a_redemption(code=code, voucher={"code": code, "pin": pin}, customer=person)
    redeemed = await till.post("/redemptions", right)
    await till.confirm_redemption(right["id"])
    refunded = await till.refund(code)
    block = {"type": "ENCRYPTED_PIN", "pinBlock": "5EC4E75EC4E75EC4",
             "encryptionParameters": {"accountNumber": "499988887777"}}  # fmt: skip
    blocked = a_redemption(code=code, voucher={"code": code, "pin": block})
    await till.post("/redemptions", blocked)
    assert [answer.status for answer in (duplicate, looked_up, declined, redeemed, refunded)] == [
        400, 200, 400, 201, 201,
    ]  # fmt: skip

    ids = [request["id"], wrong["id"], right["id"], refunded.body["id"], blocked["id"]]
    written = await everything_written(switch, ids)
    seen = "\n".join(logs(switch.folder))
    secrets = [
        code, wrong_pin["pin"], "5EC4E75EC4E75EC4", "499988887777", "4987654321098765", "Nomathemba", "Secretperson",
        "278255501", "nomathemba@", "1961-07-18", "Vilakazi", "ZQ18-04X",
    ]  # fmt: skip
    for secret in secrets:
        assert secret not in written, secret
        assert secret not in seen, secret
        assert secret.encode().hex() not in written, secret
    assert f'"pin":"{pin["pin"]}"' not in written.replace("\\", "")
    assert "498765******8765" in written
    assert '"0143' not in written
    assert "*0143" in written
    await nothing_secret_in(declined, wrong_pin["pin"])
    await nothing_secret_in(duplicate, pin["pin"])


async def nothing_secret_in(refusal: Answer, pin: str) -> None:
    """A refusal names no PIN, anywhere."""
    assert f'"{pin}"' not in refusal.raw.decode()
    assert "pin" not in refusal.detail.get("voucher", {})


async def test_the_codes_that_providers_issue_are_sealed_too(till: Till, switch: Switch) -> None:
    """Also in the slip, in the instructions and in what the provider answered."""
    sale = await till.a_used(product="SBXANY")
    await till.lookup(voucherCode=sale.code)

    written = await everything_written(switch, [sale.id, sale.redemption_id])

    grouped = " ".join(sale.code[start : start + 4] for start in range(0, 16, 4))
    for shape in (sale.code, grouped, sale.code.encode().hex()):
        assert shape not in written
    assert not any(shape in text for text in logs(switch.folder) for shape in (sale.code, grouped))
    assert "***" in written


async def test_the_whole_trace_is_there_masked(till: Till, switch: Switch) -> None:
    """Each message exchange is a leg: in, out, and the delivery of the advice."""
    sale = await till.a_confirmed()
    redeemed = await till.redeem(sale.code)

    legs = await switch.rows(
        "SELECT direction, operation, status, request, response FROM leg WHERE request_id = ANY ($1::uuid[])"
        " ORDER BY started_at",
        [sale.id, redeemed.body["id"]],
    )

    told = {(leg["direction"], leg["operation"], leg["status"]) for leg in legs}
    assert told >= {
        (1, "provisionVoucher", 201),
        (2, "provision", 201),
        (1, "confirmVoucher", 202),
        (2, "confirm", 202),
        (1, "redeemVoucher", 201),
        (2, "redeem", 201),
    }
    assert all(leg["request"] for leg in legs)


@pytest.mark.parametrize("service", ["switch", "worker"])
async def test_credentials_are_never_logged(till: Till, switch: Switch, service: str) -> None:
    await till.provision()

    text = (switch.folder / f"{service}.log").read_text(errors="replace")
    assert till.by.password not in text
    assert "example-sandbox-key" not in text
