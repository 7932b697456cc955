"""What the interface asks for, written down a second time: the tables of its models, and worked messages of our own.

The tables are what the models are tested against, so they must never be derived from the models. Columns: field, type,
required (`yes`, `no`, `list` = may be absent but not null), constraint, Log/store code.
"""

import copy
import json
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

TABLES = r"""
Transaction
  id                       uuid                         yes   -          P
  time                     date-time                    yes   -          P
  originator               Originator                   yes   -          P
  client                   Institution                  yes   -          P
  settlementEntity         Institution                  no    -          P
  receiver                 Institution                  no    -          P
  thirdPartyIdentifiers    [ThirdPartyIdentifier]       list  20         P
  slipData                 SlipData                     no    -          P
  basketRef                string                       no    0-255      P
  tranType                 enum:TranType                no    -          P
  srcAccType               enum:AccountType             no    -          P
  destAccType              enum:AccountType             no    -          P
  stan                     string                       no    0-255      P
  rrn                      string                       no    0-255      P
  transactionLabels        [TransactionLabel]           no    20         P
TransactionLabel
  name                     string                       yes   1-50       P
  value                    string                       yes   0-255      P
ProvisionRequest(Transaction)
  amounts                  Amounts                      no    -          P
  tenders                  [Tender]                     no    20         P
  voucher                  Voucher                      no    -          P
  product                  Product                      no    -          P
  posInfo                  PosInfo                      no    -          P
  recipient                Customer                     no    -          M
RedemptionRequest(Transaction)
  voucher                  RedeemableVoucher            yes   -          P
  amounts                  Amounts                      no    -          P
  posInfo                  PosInfo                      no    -          P
  customer                 Customer                     no    -          M
RefundRequest(Transaction)
  voucher                  RedeemableVoucher            yes   -          P
  amounts                  Amounts                      no    -          P
  redemptionId             string                       no    0-255      P
  receiverTransactionRef   string                       no    0-255      P
  posInfo                  PosInfo                      no    -          P
BasicAdvice
  id                       uuid                         yes   -          P
  requestId                uuid                         yes   -          P
  time                     date-time                    yes   -          P
  thirdPartyIdentifiers    [ThirdPartyIdentifier]       list  22         P
  stan                     string                       no    0-255      P
  rrn                      string                       no    0-255      P
  amounts                  Amounts                      no    -          P
TenderAdvice(BasicAdvice)
  tenders                  [Tender]                     no    20         P
BasicReversal(BasicAdvice)
  reversalReason           enum:ReversalReason          yes   -          P
Originator
  institution              Institution                  yes   -          P
  terminalId               string                       yes   8-8        P
  merchant                 Merchant                     yes   -          P
  operatorId               string                       no    0-30       M
  channelId                string                       no    0-50       P
Institution
  id                       string                       yes   0-255      P
  name                     string                       yes   0-40       P
Merchant
  merchantType             string                       yes   /[0-9]{4}/ P
  merchantId               string                       yes   15-15      P
  merchantName             MerchantName                 yes   -          P
MerchantName
  name                     string                       yes   0-23       P
  city                     string                       yes   0-13       P
  region                   string                       yes   0-2        P
  country                  string                       yes   0-2        P
ThirdPartyIdentifier
  institutionId            string                       yes   0-255      P
  transactionIdentifier    string                       yes   0-255      P
Customer
  firstName                string                       no    0-40       M
  lastName                 string                       no    0-40       M
  address                  string                       no    0-80       M
  addressDetails           Address                      no    -          M
  dateOfBirth              date-time                    no    -          M
  status                   string                       no    0-255      P
  msisdn                   string                       no    /^\+?[1-9]\d{0,14}/ M
  emailAddress             email                        no    -          M
  profileId                string                       no    0-255      M
Address
  addressLine1             string                       no    1-100      M
  addressLine2             string                       no    1-100      M
  city                     string                       no    1-30       M
  region                   string                       no    /[A-Z]{2}/ M
  country                  string                       no    /[A-Z]{2}/ M
  postalCode               string                       no    /[A-Za-z0-9_-]{1,20}/ M
Amounts
  requestAmount            LedgerAmount                 no    -          P
  approvedAmount           LedgerAmount                 no    -          P
  feeAmount                LedgerAmount                 no    -          P
  balanceAmount            LedgerAmount                 no    -          P
  additionalAmounts        {LedgerAmount}               no    20         P
LedgerAmount
  amount                   int64                        yes   -          P
  currency                 string                       yes   /[0-9]{3}/ P
  ledgerIndicator          enum:LedgerIndicator         no    -          P
Voucher
  code                     string                       no    0-40       K
  expiryDate               date-time                    no    -          P
  redeemInstructions       [string]                     no    100        M
  serialNumber             string                       no    0-40       P
  pin                      PinEncrypted                 no    -          N
RedeemableVoucher
  code                     string                       yes   1-40       K
  expiryDate               date-time                    no    -          P
  redeemInstructions       [string]                     no    100        M
  serialNumber             string                       no    0-40       P
  pin                      PinHashed                    no    -          N
PinClear
  type                     enum:PinType                 yes   -          P
  pin                      string                       yes   /.{0,20}/  N
PinEncrypted
  type                     enum:PinType                 yes   -          P
  pinBlock                 string                       yes   /[a-fA-F0-9]{16}/ N
  encryptionParameters     EncryptionParameters         no    -          N
EncryptionParameters
  pinBlockFormat           enum:PinBlockFormat          no    -          P
  accountNumber            string                       yes   /[0-9]{12}/ N
  keyIndex                 int32                        no    -          P
PinHashed
  type                     enum:PinType                 yes   -          P
  hash                     string                       yes   /[0-9,A-F]{1,512}/ N
  hashedPinParameters      HashedPinParameters          no    -          P
HashedPinParameters
  name                     string                       yes   0-20       P
Product
  productId                string                       yes   1-40       P
  barcode                  string                       no    /[0-9A-Za-z]{1,13}/ P
  name                     string                       no    1-40       P
  amount                   LedgerAmount                 no    -          P
  description              string                       no    0-250      P
  minAmount                LedgerAmount                 no    -          P
  maxAmount                LedgerAmount                 no    -          P
  isFixedValue             boolean                      no    -          P
  receiver                 Institution                  no    -          P
  channelProductListings   [ChannelProductListing]      no    -          P
ChannelProductListing
  channelName              string                       yes   0-50       P
  productDisplayName       string                       no    0-50       P
  productDisplayCategory   string                       no    0-50       P
  productDisplaySortOrder  double                       no    -          P
  channelProductIdentifier string                       no    0-255      P
Tender
  amount                   LedgerAmount                 yes   -          P
  tenderType               enum:TenderType              yes   -          P
  accountType              enum:TenderAccountType       no    -          P
  cardNumber               string                       no    /[0-9]{6}[0-9*]{0,13}/ M
  reference                string                       no    0-40       P
PosInfo
  entryMode                PosEntryMode                 no    -          P
  posConditionCode         enum:PosConditionCode        no    -          P
PosEntryMode
  panEntryMode             enum:PanEntryMode            yes   -          P
  pinEntryCapability       enum:PinEntryCapability      yes   -          P
SlipData
  messageLines             [SlipLine]                   no    100        M
  slipWidth                int32                        no    -          P
  issuerReference          string                       no    /[A-Z0-9]{1,40}/ P
SlipLine
  text                     string                       yes   0-255      M
  barcode                  Barcode                      no    -          M
  fontWidthScaleFactor     double                       no    -          P
  fontHeightScaleFactor    double                       no    -          P
  line                     boolean                      no    -          P
  cut                      boolean                      no    -          P
Barcode
  data                     string                       yes   0-255      M
  encoding                 string                       yes   0-255      P
"""

ENUMS = {
    "ReversalReason": "TIMEOUT CANCELLED RESPONSE_NOT_FINAL",
    "LedgerIndicator": "DEBIT CREDIT",
    "AccountType": "DEFAULT SAVINGS CHEQUE CREDIT UNIVERSAL ELECTRONIC_PURSE GIFT_CARD STORED_VALUE",
    "TenderAccountType": "DEFAULT SAVINGS CHEQUE CREDIT UNIVERSAL ELECTRONIC_PURSE STORED_VALUE",
    "TenderType": "CASH CHEQUE CREDIT_CARD DEBIT_CARD WALLET ROUNDING GIFT_CARD LOYALTY_CARD OTHER",
    "PinType": "CLEAR_PIN ENCRYPTED_PIN HASHED_PIN",
    "PinBlockFormat": "ISO_9564_FORMAT_0 ISO_9564_FORMAT_1 ISO_9564_FORMAT_3",
    "PanEntryMode": (
        "UNKNOWN MANUAL MAGSTRIPE_NO_CVV BARCODE OCR ICC_CVV CONTACTLESS_ICC MAGSTRIPE_CVV CONTACTLESS_MAGSTRIPE "
        "ICC_NO_CVV ORIG_MODE FALLBACK"
    ),
    "PinEntryCapability": "UNKNOWN CAN_ACCEPT CANNOT_ACCEPT",
    "PosConditionCode": (
        "NORMAL_PRESENTMENT CUSTOMER_NOT_PRESENT CUSTOMER_PRESENT_AND_CARD_NOT_PRESENT CUSTOMER_IDENTITY_VERIFIED "
        "PUBLIC_UTILITY_TERMINAL CUSTOMER_TERMINAL MANUAL_REVERSAL UNATTENDED_TERMINAL_AND_CARD_CAN_BE_RETAINED "
        "UNATTENDED_TERMINAL_AND_CARD_CANNOT_BE_RETAINED"
    ),
    "TranType": (
        "GOODS_AND_SERVICES CASH_WITHDRAWAL DEBIT_ADJUSTMENT GOODS_AND_SERVICES_WITH_CASH_BACK NON_CASH RETURNS "
        "DEPOSIT CREDIT_ADJUSTMENT GENERAL_CREDIT AVAILABLE_FUNDS_INQUIRY BALANCE_INQUIRY GENERAL_INQUIRY "
        "CARD_VERIFICATION_INQUIRY CARDHOLDER_ACCOUNTS_TRANSFER GENERAL_TRANSFER PAYMENT_FROM_ACCOUNT GENERAL_PAYMENT "
        "PAYMENT_TO_ACCOUNT PAYMENT_FROM_ACCOUNT_TO_ACCOUNT PLACE_HOLD_ON_CARD GENERAL_ADMIN CHANGE_PIN "
        "CARD_HOLDER_INQUIRY POINTS_INQUIRY"
    ),
}

MESSAGES = (
    "ProvisionRequest",
    "RedemptionRequest",
    "RefundRequest",
    "BasicAdvice",
    "TenderAdvice",
    "BasicReversal",
)


@dataclass(frozen=True)
class Row:
    """One row of a table. `path` is where the field stands in the sample message, as a violation names it."""

    path: str
    type: str
    required: str
    constraint: str
    code: str

    @property
    def keys(self) -> list[str | int]:
        """The way to the field in a parsed body."""
        steps = self.path.replace("[", ".[").split(".")
        return [int(step[1:-1]) if step.startswith("[") else step for step in steps]


def _parsed() -> tuple[dict[str, list[list[str]]], dict[str, str]]:
    fields: dict[str, list[list[str]]] = {}
    parents: dict[str, str] = {}
    name = ""
    for line in TABLES.strip().splitlines():
        if line.startswith(" "):
            fields[name].append(line.split())
            continue
        name, _, parent = line.rstrip(")").partition("(")
        fields[name] = []
        if parent:
            parents[name] = parent
    return fields, parents


_FIELDS, _PARENTS = _parsed()


def table_of(name: str) -> list[list[str]]:
    """The rows of one model, those of the model that it extends first."""
    inherited = _FIELDS[_PARENTS[name]] if name in _PARENTS else []
    return [*inherited, *_FIELDS[name]]


def rows_of(model: str, path: str = "") -> list[Row]:
    """Every field of a message down to the leaves, in the order in which violations are reported."""
    rows: list[Row] = []
    for name, type_, required, constraint, code in table_of(model):
        here = f"{path}.{name}" if path else name
        # A blank inside a pattern is written as an underscore, because blanks separate the columns.
        rows.append(Row(here, type_, required, constraint.replace("9_", "9 "), code))
        inner = type_.strip("[]{}")
        if inner in _FIELDS:
            step = {"[": "[0]", "{": ".tip"}.get(type_[0], "")
            rows.extend(rows_of(inner, here + step))
    return rows


TEXT_SAMPLES = {
    "/[0-9]{4}/": "5411",
    r"/^\+?[1-9]\d{0,14}/": "+27715550126",
    "/[A-Z]{2}/": "ZA",
    "/[A-Za-z0-9_-]{1,20}/": "6001 - A",
    "/[0-9]{3}/": "710",
    "/.{0,20}/": "1234",
    "/[a-fA-F0-9]{16}/": "0123456789abcDEF",
    "/[0-9]{12}/": "400012345678",
    "/[0-9,A-F]{1,512}/": "9,AF03",
    "/[0-9A-Za-z]{1,13}/": "6009700001234",
    "/[0-9]{6}[0-9*]{0,13}/": "412345******6789",
    "/[A-Z0-9]{1,40}/": "REF00017",
}
SCALAR_SAMPLES: dict[str, Any] = {
    "uuid": "0F3A1b2c-77d4-1e5f-9a60-c4d8e2b17035",
    "date-time": "2026-04-02T10:11:12.013Z",
    "email": "thabo@example.com",
    "int32": -2147483648,
    "int64": 9223372036854775807,
    "double": 1.5,
    "boolean": False,
}
PIN_TAGS = {"PinClear": "CLEAR_PIN", "PinEncrypted": "ENCRYPTED_PIN", "PinHashed": "HASHED_PIN"}


def sample(model: str) -> Json:
    """A valid message in which every field of the tables is there."""
    return {name: _sample_value(model, type_, constraint) for name, type_, _, constraint, _ in table_of(model)}


def _sample_value(model: str, type_: str, constraint: str) -> Any:
    inner = type_.strip("[]{}")
    if type_.startswith("["):
        return [_sample_value(model, inner, "0-255")]
    if type_.startswith("{"):
        return {"tip": _sample_value(model, inner, "-")}
    if type_ == "enum:PinType":
        return PIN_TAGS[model]
    if type_.startswith("enum:"):
        return ENUMS[type_[5:]].split()[-1]
    if type_ in SCALAR_SAMPLES:
        return SCALAR_SAMPLES[type_]
    if type_ == "string":
        return TEXT_SAMPLES[constraint] if constraint in TEXT_SAMPLES else "x" * int(constraint.split("-")[0] or 0)
    return sample(type_)


# Worked messages: a provision, its redemption and its refund, with their advices.

_TILL: Json = {
    "institution": {"id": "70110001", "name": "Aloe Supermarkets"},
    "terminalId": "ALOE0311",
    "merchant": {
        "merchantType": "5411",
        "merchantId": "ALOE00000000311",
        "merchantName": {"name": "Aloe Sea View", "city": "Durban", "region": "NL", "country": "ZA"},
    },
    "operatorId": "C-552",
}
_CLIENT: Json = {"id": "70110002", "name": "Aloe Card Switch"}
_SETTLEMENT: Json = {"id": "70110003", "name": "Baviaans Settlement"}
_RECEIVER: Json = {"id": "70110004", "name": "Springbok Vouchers"}
_POS: Json = {
    "entryMode": {"panEntryMode": "MANUAL", "pinEntryCapability": "CAN_ACCEPT"},
    "posConditionCode": "NORMAL_PRESENTMENT",
}


def _references(*references: str) -> list[Json]:
    parties = ("70110001", "70110002", "70110003", "70110004")
    return [
        {"institutionId": party, "transactionIdentifier": reference}
        for party, reference in zip(parties, references, strict=False)
    ]


def _rand(cents: int, **more: Any) -> Json:
    return {"amount": cents, "currency": "710", **more}


PROVISION_REQUEST: Json = {
    "id": "7c1d03e2-5ab4-4f6e-8d90-1e2f3a4b5c6d",
    "time": "2026-02-28T23:59:59.999Z",
    "originator": _TILL,
    "client": _CLIENT,
    "receiver": _RECEIVER,
    "thirdPartyIdentifiers": _references("ALOE-0311-40071", "ACS-912003"),
    "basketRef": "ALOE-40071",
    "tranType": "GOODS_AND_SERVICES",
    "stan": "040071",
    "rrn": "605900040071",
    "transactionLabels": [{"name": "campaign", "value": "winter"}],
    "amounts": {"requestAmount": _rand(10000)},
    "product": {"productId": "SPRINGBOK100"},
    "posInfo": _POS,
    "recipient": {"firstName": "Lerato", "msisdn": "+27715550126"},
}
PROVISION_RESPONSE: Json = {
    **PROVISION_REQUEST,
    "settlementEntity": _SETTLEMENT,
    "thirdPartyIdentifiers": _references("ALOE-0311-40071", "ACS-912003", "VSW-000000000071", "SPB-3300912"),
    "slipData": {
        "messageLines": [{"text": "Springbok R100.00"}, {"text": "7719 0043 5512", "fontWidthScaleFactor": 2}],
        "issuerReference": "SPB3300912",
    },
    "amounts": {"requestAmount": _rand(10000), "approvedAmount": _rand(10000)},
    "voucher": {
        "code": "771900435512",
        "expiryDate": "2028-02-29T21:59:59.000Z",
        "redeemInstructions": ["Give 771900435512 at the till"],
        "serialNumber": "SB-0099",
    },
}
VOUCHER_LOOKUP_RESPONSE: Json = {
    "voucher": {"code": "771900435512", "expiryDate": "2028-02-29T21:59:59.000Z", "serialNumber": "SB-0099"},
    "settlementEntity": _SETTLEMENT,
    "receiver": _RECEIVER,
    "amounts": {"approvedAmount": _rand(10000, ledgerIndicator="CREDIT")},
    "product": {"productId": "SPRINGBOK100", "name": "Springbok R100"},
    "thirdPartyIdentifiers": [{"institutionId": "70110004", "transactionIdentifier": "SPB-3300977"}],
    "rrn": "606000001188",
}
REDEMPTION_REQUEST: Json = {
    "id": "a90b7e54-16cf-4d2a-b3e8-77d05c1f9a02",
    "time": "2026-03-01T06:30:00.000Z",
    "originator": _TILL,
    "client": _CLIENT,
    "receiver": _RECEIVER,
    "thirdPartyIdentifiers": _references("ALOE-0311-40102", "ACS-912350"),
    "rrn": "606000040102",
    "voucher": {"code": "771900435512"},
    "amounts": {"requestAmount": _rand(10000)},
    "posInfo": _POS,
    "customer": {"msisdn": "+27715550126"},
}
REDEMPTION_RESPONSE: Json = {
    **REDEMPTION_REQUEST,
    "settlementEntity": _SETTLEMENT,
    "thirdPartyIdentifiers": _references("ALOE-0311-40102", "ACS-912350", "VSW-000000000080", "SPB-3301444"),
    "amounts": {"requestAmount": _rand(10000), "approvedAmount": _rand(10000), "balanceAmount": _rand(0)},
}
REFUND_REQUEST: Json = {
    "id": "3e5d9c21-80fa-4b67-9124-0dc6b8e7f35a",
    "time": "2026-03-02T12:00:01.250Z",
    "originator": _TILL,
    "client": _CLIENT,
    "receiver": _RECEIVER,
    "thirdPartyIdentifiers": _references("ALOE-0311-40190", "ACS-913007"),
    "voucher": {"code": "771900435512"},
    "amounts": {"requestAmount": _rand(10000)},
    "redemptionId": "a90b7e54-16cf-4d2a-b3e8-77d05c1f9a02",
    "receiverTransactionRef": "SPB-3301444",
}
REFUND_RESPONSE: Json = {
    **{name: REFUND_REQUEST[name] for name in ("id", "time", "originator", "client", "receiver", "voucher")},
    "settlementEntity": _SETTLEMENT,
    "thirdPartyIdentifiers": _references("ALOE-0311-40190", "ACS-913007", "VSW-000000000093", "SPB-3302018"),
    "amounts": {"approvedAmount": _rand(10000)},
}
PRODUCTS_LOOKUP_RESPONSE: Json = {
    "products": [
        {
            "productId": "SPRINGBOK100",
            "barcode": "6009700001234",
            "name": "Springbok R100",
            "amount": _rand(10000),
            "description": "Fixed value",
            "isFixedValue": True,
            "receiver": _RECEIVER,
            "channelProductListings": [
                {
                    "channelName": "APP",
                    "productDisplayName": "Springbok R100",
                    "productDisplayCategory": "Gifts",
                    "productDisplaySortOrder": 1,
                    "channelProductIdentifier": "A-1",
                }
            ],
        },
        {"productId": "SPRINGBOKVAR", "minAmount": _rand(5000), "maxAmount": _rand(50000), "isFixedValue": False},
    ]
}
TENDER_ADVICE: Json = {
    "id": "1f0e2d3c-4b5a-4978-8695-a4b3c2d1e0f9",
    "requestId": PROVISION_REQUEST["id"],
    "time": "2026-03-01T00:00:31.008Z",
    "thirdPartyIdentifiers": PROVISION_RESPONSE["thirdPartyIdentifiers"],
    "rrn": "605900040071",
    "tenders": [
        {"amount": _rand(4000), "tenderType": "CASH", "accountType": "DEFAULT"},
        {
            "amount": _rand(6000),
            "tenderType": "DEBIT_CARD",
            "accountType": "SAVINGS",
            "cardNumber": "412345******6789",
            "reference": "AUTH 0071",
        },
    ],
}
BASIC_ADVICE: Json = {
    "id": "d2c4b6a8-9e0f-4132-8576-98badcfe0123",
    "requestId": REDEMPTION_REQUEST["id"],
    "time": "2026-03-01T06:30:04.771Z",
    "thirdPartyIdentifiers": REDEMPTION_RESPONSE["thirdPartyIdentifiers"],
}
BASIC_REVERSAL: Json = {
    "id": "0a1b2c3d-4e5f-4061-8293-a4b5c6d7e8f0",
    "requestId": PROVISION_REQUEST["id"],
    "time": "2026-03-01T00:01:02.000Z",
    "thirdPartyIdentifiers": PROVISION_REQUEST["thirdPartyIdentifiers"],
    "reversalReason": "CANCELLED",
}
FORMAT_ERROR: Json = {
    "id": PROVISION_REQUEST["id"],
    "errorType": "FORMAT_ERROR",
    "errorMessage": "Bad formatting.",
    "detailMessage": {
        "formatErrors": [
            {"field": "client.name", "msg": "client.name may not be null"},
            {"field": "xyz", "msg": "Unrecognized field 'xyz'", "value": "1"},
        ]
    },
}
DUPLICATE: Json = {
    "id": PROVISION_REQUEST["id"],
    "errorType": "DUPLICATE_RECORD",
    "errorMessage": "Duplicate UUID.",
    "detailMessage": {
        "voucherId": PROVISION_REQUEST["id"],
        "requestTime": PROVISION_REQUEST["time"],
        "freeString": "Known since yesterday.",
        "receiver": _RECEIVER,
        "voucher": PROVISION_RESPONSE["voucher"],
    },
}
DECLINE: Json = {
    "id": PROVISION_REQUEST["id"],
    "originalId": BASIC_REVERSAL["id"],
    "errorType": "INVALID_AMOUNT",
    "errorMessage": "Declined by provider.",
    "providerErrorCode": "77",
    "providerErrorMessage": "Too much",
}

WORKED: list[tuple[str, Json]] = [
    ("ProvisionRequest", PROVISION_REQUEST),
    ("ProvisionResponse", PROVISION_RESPONSE),
    ("VoucherLookupResponse", VOUCHER_LOOKUP_RESPONSE),
    ("RedemptionRequest", REDEMPTION_REQUEST),
    ("RedemptionResponse", REDEMPTION_RESPONSE),
    ("RefundRequest", REFUND_REQUEST),
    ("RefundResponse", REFUND_RESPONSE),
    ("ProductsLookupResponse", PRODUCTS_LOOKUP_RESPONSE),
    ("TenderAdvice", TENDER_ADVICE),
    ("BasicAdvice", BASIC_ADVICE),
    ("BasicReversal", BASIC_REVERSAL),
    ("ErrorDetail", FORMAT_ERROR),
    ("ErrorDetail", DUPLICATE),
    ("ErrorDetail", DECLINE),
]


def changed(message: Json, keys: list[str | int], value: Any) -> Json:
    """A copy of a message with one value replaced."""
    body = copy.deepcopy(message)
    holder: Any = body
    for key in keys[:-1]:
        holder = holder[key]
    holder[keys[-1]] = value
    return body


def without(message: Json, keys: list[str | int]) -> Json:
    """A copy of a message with one field taken out."""
    body = copy.deepcopy(message)
    holder: Any = body
    for key in keys[:-1]:
        holder = holder[key]
    del holder[keys[-1]]
    return body


def encoded(message: Any) -> bytes:
    """A message as an originator sends it."""
    return json.dumps(message).encode()
