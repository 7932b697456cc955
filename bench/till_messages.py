"""What a till says besides a plain provision (interface.md §10): sales that go wrong, advices, redemptions.

Places are marked as bench/wire.py reads them. Ids of third parties come from the answer and go back unchanged, as the
interface asks of originators.
"""

from typing import Final

from bench.provision import REQUEST

Message = dict[str, object]

RECEIVER: Final = REQUEST["receiver"]
REDEEMED_CENTS: Final = 1_000  # of 25,000
# The sandbox acts by the amount (its README, providers.md §11.7): R66.nn and R166.nn are scripts.
DECLINED_CENTS: Final = 16_601  # DO_NOT_HONOUR
IN_DOUBT_CENTS: Final = 16_637  # it issues the voucher and answers 500: nobody knows

_TIME: Final = "2026-03-12T09:16:10.250Z"


def sale(request: Message, cents: int | None = None) -> Message:
    """Return a provision with a place for its id; of another amount where one is given."""
    amounts: Message = {} if cents is None else {"amounts": _amount(cents)}
    return {**request, "id": "{{id}}", **amounts}


def _amount(cents: int) -> Message:
    return {"requestAmount": {"amount": cents, "currency": "710"}}


REDEMPTION: Final[Message] = {
    "id": "{{id}}",
    "time": _TIME,
    "originator": REQUEST["originator"],
    "client": REQUEST["client"],
    "receiver": RECEIVER,
    "thirdPartyIdentifiers": REQUEST["thirdPartyIdentifiers"],
    "rrn": "607314000431",
    "amounts": _amount(REDEEMED_CENTS),
    "voucher": {"code": "{{code}}"},
    "posInfo": REQUEST["posInfo"],
    "customer": {"msisdn": "+27825550143"},
}

_ADVICE: Final[Message] = {
    "id": "{{id}}",
    "requestId": "{{request}}",
    "time": _TIME,
    "thirdPartyIdentifiers": "{{{identifiers}}}",
    "rrn": "607109451208",
}
CONFIRMATION: Final[Message] = _ADVICE
TENDER_CONFIRMATION: Final[Message] = {
    **_ADVICE,
    "tenders": [{"amount": {"amount": 25_000, "currency": "710"}, "tenderType": "CASH", "accountType": "DEFAULT"}],
}
CANCELLATION: Final[Message] = {**_ADVICE, "reversalReason": "CANCELLED"}
# No answer came that could be used, so the identifiers are those of the request.
TIMEOUT: Final[Message] = {
    **_ADVICE,
    "thirdPartyIdentifiers": REQUEST["thirdPartyIdentifiers"],
    "reversalReason": "TIMEOUT",
}
