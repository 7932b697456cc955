"""The one question that all are asked: a till sells a voucher of R250.00 (interface.md §10.1, without a product).

The load generators send it with a fresh id each time. What the trace shows of it and of its answer is here too.
"""

import json
from collections.abc import Mapping
from typing import Final

ORIGINATOR: Final = "22222222"
RECEIVER: Final = "44444444"
PATH: Final = "/suv/v1/vouchers"
AMOUNT_CENTS: Final = 25_000
ID_PLACE: Final = "00000000-0000-0000-0000-000000000000"

REQUEST: Final[dict[str, object]] = {
    "id": ID_PLACE,
    "time": "2026-03-12T09:15:02.418Z",
    "originator": {
        "institution": {"id": "90010001", "name": "Baobab Stores"},
        "terminalId": "TILL0042",
        "merchant": {
            "merchantType": "5411",
            "merchantId": "BAOBAB000012345",
            "merchantName": {"name": "Baobab Sea Point", "city": "Cape Town", "region": "WC", "country": "ZA"},
        },
        "operatorId": "C-117",
    },
    "client": {"id": ORIGINATOR, "name": "Baobab Pay Switch"},
    "receiver": {"id": RECEIVER, "name": "MobiTalk"},
    "thirdPartyIdentifiers": [
        {"institutionId": "90010001", "transactionIdentifier": "BBS-0042-000117"},
        {"institutionId": ORIGINATOR, "transactionIdentifier": "BPS-7730019"},
    ],
    "basketRef": "B-20260312-0042-31",
    "tranType": "GOODS_AND_SERVICES",
    "stan": "451208",
    "rrn": "607109451208",
    "transactionLabels": [{"name": "campaign", "value": "autumn"}],
    "amounts": {"requestAmount": {"amount": AMOUNT_CENTS, "currency": "710"}},
    "posInfo": {
        "entryMode": {"panEntryMode": "BARCODE", "pinEntryCapability": "CANNOT_ACCEPT"},
        "posConditionCode": "NORMAL_PRESENTMENT",
    },
    "recipient": {"firstName": "Thandi", "msisdn": "+27825550143"},
}

MASKED_REQUEST: Final[dict[str, object]] = {
    **REQUEST,
    "recipient": {"firstName": "***", "msisdn": "***0143"},
}

MASKED_ANSWER: Final[dict[str, object]] = {
    **MASKED_REQUEST,
    "settlementEntity": {"id": "33333333", "name": "Sandbox Settlement"},
    "thirdPartyIdentifiers": [
        {"institutionId": "90010001", "transactionIdentifier": "BBS-0042-000117"},
        {"institutionId": ORIGINATOR, "transactionIdentifier": "BPS-7730019"},
        {"institutionId": "33333333", "transactionIdentifier": "VSW-000000451208"},
        {"institutionId": RECEIVER, "transactionIdentifier": "SBXV00000001"},
    ],
    "slipData": {"messageLines": [{"text": "***"}] * 5, "issuerReference": "VSW000000451208"},
    "amounts": {
        "requestAmount": {"amount": AMOUNT_CENTS, "currency": "710"},
        "approvedAmount": {"amount": AMOUNT_CENTS, "currency": "710"},
    },
    "voucher": {
        "code": "***",
        "expiryDate": "2029-03-11T21:59:59.000Z",
        "redeemInstructions": ["***"],
        "serialNumber": "SX00000001",
    },
}


def compact(message: Mapping[str, object]) -> str:
    """Write a message as JSON without blanks, as every machine does."""
    return json.dumps(message, separators=(",", ":"))


def body_around_id(request: Mapping[str, object] = REQUEST) -> tuple[str, str]:
    """Return what stands before and after the id in a request's JSON; whatever id it has is left out."""
    before, after = compact({**request, "id": ID_PLACE}).split(ID_PLACE)
    return before, after
