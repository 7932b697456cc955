"""What OTT's tests share: the simulator with a connector, signed messages past it, and the samples."""

from typing import Any

import msgspec

from providers.pair_support import Pair
from providers.provider_support import R1, R2, STORE, RawAnswer, answer, http
from voucherswitch.message.orders import LookupOrder, ProvisionOrder, RedeemOrder
from voucherswitch.message.outcomes import Approved, Outcome
from voucherswitch.message.parties import Voucher
from voucherswitch.providers.contract.simulator.running import RunningSimulator
from voucherswitch.providers.contract.transport.http import HttpAnswer
from voucherswitch.providers.ott.signing import signed_form
from voucherswitch.providers.ott.simulator import CREDENTIALS
from voucherswitch.providers.ott.simulator.provider import OttProvider

SAMPLE_AUTHORIZATION = "c2ltLWFwaS11c2VyOmV4YW1wbGUtb3R0LXBhc3N3b3Jk"
PIN = "100200300400"
SERIAL = "500600700800"
MOBILE = "27820000001"

ISSUING = "/api/reseller/v1"
REDEMPTION = "/api/v1"
KEY = "EXAMPLE-KEY-0001"

GET_VOUCHER = (
    b"branch=S001&cashier=C07&till=TERM0001&uniqueReference=5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13&value=100.00"
    b"&vendorCode=11&hash=05c9f53ef5e6063d76ea2c77a0c9992b158ab9821474391189acf17d74e1c355"
)
ISSUED = (
    rb'{"success":"true","voucher":"{\"voucherID\":7000001,\"saleID\":8000001,\"pin\":\"100200300400\",'
    rb"\"serialNumber\":\"500600700800\",\"batch\":\"B1\",\"instructions\":\"Redeem at a partner site\","
    rb'\"amount\":100.0000}"}'
)
FAILED = b'{"success":"false","errorCode":"3","message":"No product for value"}'
REMIT_VOUCHER = (
    b"amount=100.00&mobile=27820000001&pin=100200300400&uniqueReference=c2d47e08-1a6b-4f35-8e90-7b1d3a5c9f24"
    b"&vendorID=22&hash=a4b30b52113d77308c032a95cde7c8f3cbd7cc681390e5ba124fbef6b0918497"
)
REMITTED = (
    b'{"success": "true", "voucherID": 7000001, "voucherAmount": "100.00", "voucherBalance": "0.00", '
    b'"message": "Redeemed"}'
)
FOUND = b'{"success": "true", "voucherID": 7000001, "serial": "500600700800", "value": "100.00"}'

VOUCHER = Voucher(code=PIN, serial_number=SERIAL, instructions=("Redeem at a partner site",))
REFS = {"voucherID": "7000001", "saleID": "8000001", "serialNumber": SERIAL}
SOLD = Approved(approved_cents=10_000, voucher=VOUCHER, provider_ref="7000001", refs=REFS)
REDEEMED = Approved(approved_cents=10_000, balance_cents=0, provider_ref="7000001", refs={"voucherID": "7000001"})


def settings_of(simulator: RunningSimulator) -> dict[str, object]:
    return {"base_url": simulator.url, "outlet_map": {STORE.merchant_id: "S001"}, **CREDENTIALS}


def provision_order(request_id: str = R1, amount_cents: int = 10_000, **more: Any) -> ProvisionOrder:
    values: dict[str, Any] = {"currency": "710", "product": "value", "store": STORE} | more
    return ProvisionOrder(request_id=request_id, amount_cents=amount_cents, **values)


def redeem_order(request_id: str = R2, amount_cents: int = 10_000, code: str = PIN, **more: Any) -> RedeemOrder:
    values: dict[str, Any] = {"currency": "710", "store": STORE, "msisdn": MOBILE} | more
    return RedeemOrder(request_id=request_id, amount_cents=amount_cents, voucher_code=code, **values)


def lookup_order(code: str | None = PIN, **more: Any) -> LookupOrder:
    return LookupOrder(voucher_code=code, **more)


def failure(code: object, message: object = "No") -> HttpAnswer:
    return answer({"success": "false", "errorCode": code, "message": message}, 201)


def issued_with(**changes: Any) -> bytes:
    """The sample of a sale with values of its inner document replaced; ... removes one."""
    outer = msgspec.json.decode(ISSUED)
    document = msgspec.json.decode(outer["voucher"]) | changes
    inner = msgspec.json.encode({name: value for name, value in document.items() if value is not ...})
    return msgspec.json.encode(outer | {"voucher": inner.decode()})


class Ott(Pair):
    """The simulator with a connector to it."""

    sale = staticmethod(provision_order)

    @property
    def provider(self) -> OttProvider:
        assert isinstance(self.simulator.provider, OttProvider)
        return self.simulator.provider

    # The protocol, past our connector

    async def raw(self, path: str, key: str = KEY, **parameters: str) -> RawAnswer:
        """A message with the right hash."""
        return await self.send(path, signed_form(parameters, key))

    async def send(self, path: str, body: bytes, **headers: str) -> RawAnswer:
        """Any body with the right credentials; `headers` replace ours, with `_` for `-`."""
        ours = {
            "Authorization": f"Basic {SAMPLE_AUTHORIZATION}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        sent = ours | {name.replace("_", "-"): value for name, value in headers.items()}
        return await http("POST", f"{self.simulator.url}{path}", body, sent)

    # The connector, with the values of the samples

    async def confirmed(self, request_id: str = R1, **more: Any) -> Voucher:
        """A voucher that can be redeemed."""
        voucher = await self.issued(request_id, **more)
        assert (await self.raw(f"{ISSUING}/ConfirmVoucher", uniqueReference=request_id)).status == 200
        return voucher

    async def redeem(self, **more: Any) -> Outcome:
        return await self.connector.redeem(redeem_order(**more), self.call())
