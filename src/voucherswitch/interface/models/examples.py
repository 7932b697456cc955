"""One worked example of every message, for the OpenAPI document and the page that tries it out. All invented."""

from typing import Any, Final

Example = dict[str, Any]

PROVISION_ID: Final = "5b0c2f9e-7d41-4c0a-9d1f-2a6c8e4b7f10"
REDEMPTION_ID: Final = "c1a7e0d4-93b8-4f56-8a02-6f3d5be91c27"
REFUND_ID: Final = "e8d35f61-0a9c-4b7e-b4d2-91c6a07f3e58"
VOUCHER_CODE: Final = "5091738264405517"

_INSTITUTION: Final = {"id": "91110001", "name": "Kestrel Foods"}
_CLIENT: Final = {"id": "91110002", "name": "Kestrel Payments"}
_SETTLEMENT: Final = {"id": "91110003", "name": "Fynbos Clearing"}
_RECEIVER: Final = {"id": "91110004", "name": "Jacaranda Gifts"}
_ORIGINATOR: Final = {
    "institution": _INSTITUTION,
    "terminalId": "KF010007",
    "merchant": {
        "merchantType": "5411",
        "merchantId": "KESTREL00000107",
        "merchantName": {"name": "Kestrel Foods Gqeberha", "city": "Gqeberha", "region": "EC", "country": "ZA"},
    },
    "operatorId": "C-204",
}
_POS_INFO: Final = {
    "entryMode": {"panEntryMode": "BARCODE", "pinEntryCapability": "CANNOT_ACCEPT"},
    "posConditionCode": "NORMAL_PRESENTMENT",
}
_R150: Final = {"amount": 15000, "currency": "710"}
_TENDER: Final = {"amount": _R150, "tenderType": "CASH"}


def _identifiers(till: str, host: str, *behind_us: str) -> list[Example]:
    parties = (_INSTITUTION, _CLIENT, _SETTLEMENT, _RECEIVER)
    return [
        {"institutionId": party["id"], "transactionIdentifier": reference}
        for party, reference in zip(parties, (till, host, *behind_us), strict=False)
    ]


def _start(id: str, time: str, till: str, host: str) -> Example:
    return {
        "id": id,
        "time": time,
        "originator": _ORIGINATOR,
        "client": _CLIENT,
        "receiver": _RECEIVER,
        "thirdPartyIdentifiers": _identifiers(till, host),
    }


def _answer(request: Example, switch: str, provider: str) -> Example:
    ours = _identifiers("", "", switch, provider)[2:]
    identifiers = {"thirdPartyIdentifiers": [*request["thirdPartyIdentifiers"], *ours]}
    return {**request, "settlementEntity": _SETTLEMENT, **identifiers}


PROVISION_REQUEST: Final[Example] = {
    **_start(PROVISION_ID, "2026-05-04T07:41:18.306Z", "KF-0107-88120", "KP-5530141"),
    "basketRef": "B-88120",
    "amounts": {"requestAmount": _R150},
    "product": {"productId": "JACARANDAGIFT"},
    "posInfo": _POS_INFO,
}
PROVISION_RESPONSE: Final[Example] = {
    **_answer(PROVISION_REQUEST, "VSW-000000001207", "JG-40718823"),
    "amounts": {"requestAmount": _R150, "approvedAmount": _R150},
    "voucher": {
        "code": VOUCHER_CODE,
        "expiryDate": "2029-05-03T21:59:59.000Z",
        "redeemInstructions": ["Hand this code to the cashier"],
        "serialNumber": "JG0071552093",
    },
    "slipData": {"messageLines": [{"text": "Jacaranda gift voucher R150.00"}, {"text": VOUCHER_CODE}]},
}
TENDER_ADVICE: Final[Example] = {
    "id": "0f6d2b83-51ce-4a97-8e3d-7b1c40a6d925",
    "requestId": PROVISION_ID,
    "time": "2026-05-04T07:42:03.911Z",
    "thirdPartyIdentifiers": PROVISION_RESPONSE["thirdPartyIdentifiers"],
    "tenders": [_TENDER],
}
PROVISION_REVERSAL: Final[Example] = {
    "id": "93e4a7c5-6b02-4d18-9f7e-c50d8a2b6134",
    "requestId": PROVISION_ID,
    "time": "2026-05-04T07:42:19.020Z",
    "thirdPartyIdentifiers": PROVISION_REQUEST["thirdPartyIdentifiers"],
    "reversalReason": "TIMEOUT",
}
VOUCHER_LOOKUP_RESPONSE: Final[Example] = {
    "voucher": {"expiryDate": "2029-05-03T21:59:59.000Z", "serialNumber": "JG0071552093"},
    "settlementEntity": _SETTLEMENT,
    "receiver": _RECEIVER,
    "amounts": {"approvedAmount": {**_R150, "ledgerIndicator": "CREDIT"}},
    "product": {"productId": "JACARANDAGIFT"},
}
REDEMPTION_REQUEST: Final[Example] = {
    **_start(REDEMPTION_ID, "2026-05-09T15:20:47.112Z", "KF-0107-90344", "KP-5561820"),
    "amounts": {"requestAmount": _R150},
    "voucher": {"code": VOUCHER_CODE},
    "posInfo": _POS_INFO,
}
REDEMPTION_RESPONSE: Final[Example] = {
    **_answer(REDEMPTION_REQUEST, "VSW-000000001377", "JG-40733410"),
    "amounts": {"requestAmount": _R150, "approvedAmount": _R150, "balanceAmount": {"amount": 0, "currency": "710"}},
}
REDEMPTION_CONFIRMATION: Final[Example] = {
    "id": "27b9f1e6-8d34-4c72-a5b0-3e94d7061f8c",
    "requestId": REDEMPTION_ID,
    "time": "2026-05-09T15:20:50.640Z",
    "thirdPartyIdentifiers": REDEMPTION_RESPONSE["thirdPartyIdentifiers"],
}
REDEMPTION_REVERSAL: Final[Example] = {
    "id": "b64c08d7-2f15-4e9a-8c63-d07a5e1b9f42",
    "requestId": REDEMPTION_ID,
    "time": "2026-05-09T15:21:48.005Z",
    "thirdPartyIdentifiers": REDEMPTION_REQUEST["thirdPartyIdentifiers"],
    "reversalReason": "CANCELLED",
}
REFUND_REQUEST: Final[Example] = {
    **_start(REFUND_ID, "2026-05-11T09:05:31.770Z", "KF-0107-91007", "KP-5570062"),
    "amounts": {"requestAmount": _R150},
    "voucher": {"code": VOUCHER_CODE},
    "redemptionId": REDEMPTION_ID,
}
REFUND_RESPONSE: Final[Example] = {
    **_answer(
        {key: value for key, value in REFUND_REQUEST.items() if key != "redemptionId"},
        "VSW-000000001409",
        "JG-40740087",
    ),
    "amounts": {"approvedAmount": _R150},
}
REFUND_CONFIRMATION: Final[Example] = {
    "id": "4ad07c92-e1b6-4583-9e2f-68c3f50d7ab1",
    "requestId": REFUND_ID,
    "time": "2026-05-11T09:05:34.218Z",
    "thirdPartyIdentifiers": REFUND_RESPONSE["thirdPartyIdentifiers"],
}
REFUND_REVERSAL: Final[Example] = {
    "id": "f15e83b0-7c49-4d26-b8a1-05d97e3c6f84",
    "requestId": REFUND_ID,
    "time": "2026-05-11T09:06:32.400Z",
    "thirdPartyIdentifiers": REFUND_REQUEST["thirdPartyIdentifiers"],
    "reversalReason": "RESPONSE_NOT_FINAL",
}
PRODUCTS_LOOKUP_RESPONSE: Final[Example] = {
    "products": [
        {
            "productId": "JACARANDAGIFT",
            "name": "Jacaranda gift voucher",
            "minAmount": {"amount": 5000, "currency": "710"},
            "maxAmount": {"amount": 200000, "currency": "710"},
            "isFixedValue": False,
            "receiver": _RECEIVER,
            "channelProductListings": [{"channelName": "TILL", "productDisplayName": "Jacaranda, any amount"}],
        }
    ]
}
FORMAT_ERROR: Final[Example] = {
    "id": PROVISION_ID,
    "errorType": "FORMAT_ERROR",
    "errorMessage": "Bad formatting.",
    "detailMessage": {
        "formatErrors": [
            {"field": "client.name", "msg": "client.name may not be null"},
            {"field": "colour", "msg": "Unrecognized field 'colour'", "value": "red"},
        ]
    },
}
ALREADY_REVERSED: Final[Example] = {
    "id": PROVISION_ID,
    "originalId": PROVISION_REVERSAL["id"],
    "errorType": "VOUCHER_ALREADY_REVERSED",
    "errorMessage": "Voucher reversed.",
    "detailMessage": {"reversalId": PROVISION_REVERSAL["id"]},
}
