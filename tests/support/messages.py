"""Valid messages of an originator, fresh each time, and ways to change them.

Every builder takes changes by the interface's own field names; `REMOVED` takes a field out.
"""

import copy
import re
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from support.originators import TILL, Originator

Json = dict[str, Any]

REMOVED: Final = object()
# An id that nobody has used, where a test's own name must not change from run to run.
AN_ID: Final = "5d0c7b6e-90a1-4f23-8b4c-1e2d3f405162"
ZAR: Final = "710"
SETTLEMENT: Final = {"id": "33333333", "name": "Sandbox Settlement"}
MOBITALK: Final = {"id": "44444444", "name": "MobiTalk"}
PROTEA: Final = {"id": "55555555", "name": "Protea Gifts"}

_STEP: Final = re.compile(r"\.|\[(\d+)\]")


def new_id() -> str:
    """A fresh UUID."""
    return str(uuid4())


def now() -> str:
    """The present as originators write it: UTC with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def rand(cents: int) -> Json:
    """An amount of rand."""
    return {"amount": cents, "currency": ZAR}


def cash(cents: int) -> Json:
    """A tender in notes and coins."""
    return {"amount": rand(cents), "tenderType": "CASH"}


def a_till() -> Json:
    """Where a transaction starts."""
    return {
        "institution": {"id": "11111111", "name": "Aloe Supermarkets"},
        "terminalId": "ALOE0311",
        "merchant": {
            "merchantType": "5411",
            "merchantId": "ALOE00000000311",
            "merchantName": {"name": "Aloe Sea View", "city": "Durban", "region": "NL", "country": "ZA"},
        },
        "operatorId": "C-552",
    }


def a_client(by: Originator) -> Json:
    """The sender as its messages name it."""
    return {"id": by.id, "name": "Aloe Card Switch"}


def references(by: Originator) -> list[Json]:
    """The two entries that an originator and its client usually send."""
    return [
        {"institutionId": "11111111", "transactionIdentifier": f"ALOE-{uuid4().hex[:10]}"},
        {"institutionId": by.id, "transactionIdentifier": f"ACS-{uuid4().hex[:10]}"},
    ]


def _transaction(by: Originator) -> Json:
    return {
        "id": new_id(),
        "time": now(),
        "originator": a_till(),
        "client": a_client(by),
        "receiver": MOBITALK,
        "thirdPartyIdentifiers": references(by),
    }


def a_provision(by: Originator = TILL, *, product: str | None = "SBXANY", cents: int = 10_000, **changes: Any) -> Json:
    """A request for a voucher; without a product for whatever the receiver sells."""
    body = _transaction(by) | {"amounts": {"requestAmount": rand(cents)}}
    if product is not None:
        body["product"] = {"productId": product}
    return applied(body, changes)


def a_redemption(by: Originator = TILL, *, code: str, cents: int = 10_000, **changes: Any) -> Json:
    """A request to use a voucher."""
    body = _transaction(by) | {"amounts": {"requestAmount": rand(cents)}, "voucher": {"code": code}}
    return applied(body, changes)


def a_refund(by: Originator = TILL, *, code: str, **changes: Any) -> Json:
    """A request to give a whole redemption back."""
    return applied(_transaction(by) | {"voucher": {"code": code}}, changes)


def a_confirmation(request_id: str, **changes: Any) -> Json:
    """The advice that a request stands."""
    return applied({"id": new_id(), "requestId": request_id, "time": now()}, changes)


def a_tender_confirmation(request_id: str, **changes: Any) -> Json:
    """The advice that a voucher was paid for."""
    return a_confirmation(request_id, **({"tenders": [cash(10_000)]} | changes))


def a_reversal(request_id: str, *, reason: str = "TIMEOUT", **changes: Any) -> Json:
    """The advice that a request is undone."""
    return applied({"id": new_id(), "requestId": request_id, "time": now(), "reversalReason": reason}, changes)


def applied(body: Json, changes: Json) -> Json:
    """A body with top-level fields replaced, added or taken out."""
    return {name: value for name, value in (body | changes).items() if value is not REMOVED}


def steps(path: str) -> list[str | int]:
    """A path as violations write it, in pieces: `tenders[0].amount`."""
    found: list[str | int] = []
    for piece in _STEP.split(path):
        if piece:
            found.append(int(piece) if piece.isdigit() else piece)
    return found


def changed(message: Json, path: str, value: Any) -> Json:
    """A copy of a message with one value replaced or added; `REMOVED` takes it out."""
    body = copy.deepcopy(message)
    holder: Any = body
    *way, last = steps(path)
    for step in way:
        holder = holder[step]
    if value is REMOVED:
        del holder[last]
    else:
        holder[last] = value
    return body


def without(message: Json, path: str) -> Json:
    """A copy of a message with one field taken out."""
    return changed(message, path, REMOVED)
