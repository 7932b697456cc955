"""What Hollywoodbets' tests share: the simulator with a connector, requests past it, and the samples."""

from collections.abc import Mapping
from typing import Any

import msgspec

from providers.pair_support import Pair
from providers.provider_support import R1, STORE, RawAnswer, answer, http
from voucherswitch.message.orders import LookupOrder, ProvisionOrder
from voucherswitch.message.parties import Voucher
from voucherswitch.providers.contract.transport.http import NO_HEADERS, HttpAnswer
from voucherswitch.providers.hollywoodbets.simulator import PARTNER, PASSWORD, HollywoodbetsSimulator

SAMPLE_EPOCH_S = 1_772_453_716
PIN = "00471203869"
AUTHORIZATION = "Basic c2ltLXBhcnRuZXI6ZXhhbXBsZS1oYi1wYXNzd29yZA=="
CONTENT_TYPE = "application/json; charset=utf-8"
HOUR_MS = 3_600_000
WINDOW_MS = 23 * HOUR_MS

ISSUE_BODY = (
    b'{"partnerRef":"5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13","outletCode":"S001","faceValue":"100.00",'
    b'"requestedAt":"2026-03-02T14:15:16.000+02:00"}'
)
VOUCHER_BODY = (
    b'{"resultCode":"HB00","resultText":"OK","partnerRef":"5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13",'
    b'"voucherId":51000001,"serialNumber":"4100000001","pin":"00471203869",\n "faceValue":"100.00",'
    b'"expiryDate":"02/03/2029","batchNo":"B260302","state":"UNUSED"}'
)
REFUSAL_BODY = (
    b'{"resultCode": "HB14", "resultText": "Voucher was used, block refused", '
    b'"partnerRef": "5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13"}'
)
VOUCHER = Voucher(code=PIN, serial_number="4100000001", expires_at="2029-03-02T21:59:59.000Z")


def settings_of(simulator: HollywoodbetsSimulator) -> dict[str, object]:
    return {
        "base_url": simulator.url,
        "partner": PARTNER,
        "password": PASSWORD,
        "outlet_map": {STORE.merchant_id: "S001"},
    }


def provision_order(request_id: str = R1, amount_cents: int = 10_000, **more: Any) -> ProvisionOrder:
    values: dict[str, Any] = {"currency": "710", "product": f"{amount_cents // 100}.00", "store": STORE} | more
    return ProvisionOrder(request_id=request_id, amount_cents=amount_cents, **values)


def lookup_order(pin: str = PIN) -> LookupOrder:
    return LookupOrder(voucher_code=pin)


def refusal(code: str, text: str = "No", **fields: Any) -> HttpAnswer:
    return answer({"resultCode": code, "resultText": text} | fields)


class Hollywoodbets(Pair):
    """The simulator with a connector to it."""

    simulator: HollywoodbetsSimulator
    sale = staticmethod(provision_order)

    @property
    def codes(self) -> list[str]:
        """A PIN that was sent as a number has lost its zeros, and is one all the same."""
        pins = super().codes
        return [*pins, *(str(int(pin)) for pin in pins)]

    # The protocol, past our connector

    async def raw(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] = NO_HEADERS
    ) -> RawAnswer:
        """A request; `headers` replace those that it would have, and an empty one is left out."""
        content = body if isinstance(body, bytes) or body is None else msgspec.json.encode(body)
        sent = {"Authorization": AUTHORIZATION}
        if content is not None:
            sent["Content-Type"] = CONTENT_TYPE
        sent |= headers
        url = f"{self.simulator.url}/retail-topup/v1{path}"
        return await http(method, url, content, {name: value for name, value in sent.items() if value})
