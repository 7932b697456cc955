"""What Stellr's tests share: orders with the samples' values, and raw messages past the connector."""

from typing import Any

import msgspec

from providers.pair_support import Pair
from providers.provider_support import R1, R2, STORE, RawAnswer, http, voucher_of
from voucherswitch.message.orders import ProvisionOrder, RedeemOrder
from voucherswitch.message.parties import Voucher
from voucherswitch.providers.contract.simulator.running import RunningSimulator
from voucherswitch.providers.stellr.simulator import CHANNEL_ID, PASSWORD, TERMINAL_ID
from voucherswitch.providers.stellr.simulator.forms import CONTENT_TYPE, PATH

FIRST_PIN = "300400500600"
FIRST_SERIAL = "700000000001"
FIRST_TRANSACTION = "000081234567"

PURCHASE = b"""\
<PurchaseRequest version="2.0"><Auth terminalId="T0000042" channelId="VSW" password="example-stellr-password"/>
<RequestId>5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13</RequestId><RequestDateTime>20260302141516</RequestDateTime>
<ProductCode>GAME0100</ProductCode><Amount>100.00</Amount><Currency>ZAR</Currency><StoreId>S001</StoreId>\
<TillId>TERM0001</TillId></PurchaseRequest>"""

PURCHASED = b"""\
<PurchaseResponse version="2.0"><ResultCode>000</ResultCode><ResultText>Approved</ResultText>\
<RequestId>5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13</RequestId>
<TransactionId>000081234567</TransactionId><Voucher><Pin>300400500600</Pin><Serial>700000000001</Serial>\
<Value>100.00</Value>
<ExpiryDate>2029-03-02</ExpiryDate><Brand>Example Games</Brand>\
<Instructions>Enter the PIN in your account.</Instructions></Voucher></PurchaseResponse>"""

ALREADY_REDEEMED = b"""\
<RedeemResponse version="2.0"><ResultCode>202</ResultCode><ResultText>Voucher already redeemed</ResultText>\
<RequestId>c2d47e08-1a6b-4f35-8e90-7b1d3a5c9f24</RequestId></RedeemResponse>"""


def settings_of(simulator: RunningSimulator) -> dict[str, object]:
    return {
        "base_url": simulator.url,
        "terminal_id": TERMINAL_ID,
        "channel_id": CHANNEL_ID,
        "password": PASSWORD,
        "outlet_map": {STORE.merchant_id: "S001"},
    }


def a_sale(**changes: Any) -> ProvisionOrder:
    order = ProvisionOrder(request_id=R1, amount_cents=10_000, currency="710", product="GAME0100", store=STORE)
    return msgspec.structs.replace(order, **changes)


def a_redemption(code: str = FIRST_PIN, **changes: Any) -> RedeemOrder:
    order = RedeemOrder(request_id=R2, amount_cents=10_000, currency="710", voucher_code=code, store=STORE)
    return msgspec.structs.replace(order, **changes)


async def sold(pair: Pair, **changes: Any) -> Voucher:
    """A voucher that exists."""
    return voucher_of(await pair.connector.provision(a_sale(**changes), pair.call()))


async def raw(pair: Pair, body: bytes, *, path: str = PATH, content_type: bytes = CONTENT_TYPE) -> RawAnswer:
    """A message past our connector."""
    return await http("POST", pair.simulator.url + path, body, {"Content-Type": content_type.decode()})


def result_code(answer: RawAnswer) -> str:
    assert answer.status == 200
    return answer.body.split(b"<ResultCode>")[1].split(b"<")[0].decode()
