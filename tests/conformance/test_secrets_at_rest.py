"""Codes and PINs are bearer money: the database holds none that could be read (design §9)."""

from uuid import UUID

from support.messages import a_provision, a_redemption
from support.switch import Switch
from support.till import Till
from support.vault import vault_of
from voucherswitch.security.sealed import TRANSACTION


async def everything_in(switch: Switch) -> dict[str, str]:
    """All rows of all tables as text; bytes are written in hex there."""
    tables = await switch.pool.fetch(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    return {
        row["relname"]: "\n".join(
            line["row"] for line in await switch.pool.fetch(f'SELECT t::text AS row FROM "{row["relname"]}" AS t')
        )
        for row in tables
    }


async def test_no_code_and_no_pin_can_be_read_in_the_database(switch: Switch, till: Till) -> None:
    """Sold, sold twice, confirmed, looked up, redeemed, redeemed twice, refunded: every path that sees the code."""
    sold = await till.post("/vouchers", request := a_provision(product="SBXPIN"))
    assert sold.status == 201
    code, pin = sold.code, sold.body["voucher"]["pin"]["pin"]
    assert (await till.post("/vouchers", request)).detail["voucher"]["code"] == code
    assert (await till.post(f"/vouchers/{request['id']}/retry", request)).status == 201
    assert (await till.confirm_voucher(request["id"])).status == 202
    assert (await till.get("/vouchers", voucherCode=code)).status == 200
    voucher = {"code": code, "pin": {"type": "CLEAR_PIN", "pin": pin}}
    wrong = a_redemption(code=code, voucher={"code": code, "pin": {"type": "CLEAR_PIN", "pin": "no-such-pin-9481"}})
    assert (await till.post("/redemptions", wrong)).status == 400
    redemption = a_redemption(code=code, voucher=voucher)
    assert (await till.post("/redemptions", redemption)).status == 201
    assert (await till.post("/redemptions", redemption | {"id": wrong["id"]})).status == 400

    everything = await everything_in(switch)
    assert len(everything["transaction"]) > 1000
    for table, text in everything.items():
        assert code not in text, table
        assert code.encode().hex() not in text, table
        assert "no-such-pin-9481" not in text, table
        assert f'"{pin}"' not in text, table


async def test_what_is_sealed_opens_with_the_key_file_alone(switch: Switch, till: Till) -> None:
    sold = await till.post("/vouchers", request := a_provision())
    row = await switch.pool.fetchrow("SELECT answer FROM transaction WHERE request_id = $1::text::uuid", request["id"])
    assert row is not None
    vault = vault_of(switch.folder / "data" / "vault.key")
    assert sold.code.encode() in vault.open(row["answer"], TRANSACTION.context("answer", UUID(request["id"]), 0))
