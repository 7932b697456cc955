"""AEON's documents: building requests, and reading the envelope of answers (providers.md 8.1, 8.2).

Documented: the envelope and the names of Authentication, GetVoucher, GetProductList and SoldVoucher. The rest, and what
is in GetVoucher and GetProductList, is Proposed.
"""

from functools import lru_cache
from typing import Final

from voucherswitch.message.marks import NEVER_KEPT, QUOTED, SEALED, plain, wire_fields
from voucherswitch.providers.contract.answers import BadAnswer, check
from voucherswitch.providers.contract.transport.xml import (
    Element,
    Markup,
    document,
    element,
    leaf,
    optional,
    own_text,
    parse,
)

CLOSING_TAG: Final = "</response>"
TRANS_TYPE: Final = "BluVoucher"
_SPACE: Final = " \t\r\n"

FIELDS: Final = wire_fields(
    "EventType DeviceVer TransType Reference Amount TransRef Serial State VoucherState Value ExpiryDate MinAmount"
    " MaxAmount SpendRef SpentByReference",
    UserPin=NEVER_KEPT,
    DeviceId=NEVER_KEPT,
    DeviceSer=NEVER_KEPT,
    SessionId=NEVER_KEPT,
    Pin=SEALED,
    VoucherNumber=SEALED,
    ProductCode=plain("a product's"),
    Name=plain("a product's"),
    EventCode=plain("0 or 1"),
    ErrorCode=QUOTED,
    AEONErrorCode=QUOTED,
    ErrorText=QUOTED,
    AEONErrorText=QUOTED,
)

AUTHENTICATION: Final = "Authentication"
GET_PRODUCT_LIST: Final = "GetProductList"
GET_VOUCHER: Final = "GetVoucher"
SOLD_VOUCHER: Final = "SoldVoucher"
CANCEL_VOUCHER: Final = "CancelVoucher"
GET_TRANS_STATUS: Final = "GetTransStatus"
VOUCHER_ENQUIRY: Final = "VoucherEnquiry"
VOUCHER_SPEND: Final = "VoucherSpend"


def request(event_type: str, *event: Markup, session_id: str | None = None) -> bytes:
    """A request without its line feed: names exactly as the protocol has them, in its order.

    Raises:
        Unwritable: a value has a character that XML cannot hold.
    """
    session = optional("SessionId", session_id)
    return document(element("request", session, leaf("EventType", event_type), element("event", *event)))


class Fields:
    """The values in an element, by their names without regard to case: other spellings of `AEONErrorCode` are known.

    What holds elements of its own is no value; `groups` has those. An empty element says nothing, and the same said
    twice is said once.
    """

    __slots__ = ("_texts", "_twice", "groups")

    def __init__(self, parent: Element | None) -> None:
        self._texts: dict[str, str] = {}
        self._twice: set[str] = set()
        self.groups: list[tuple[str, Element]] = []
        texts = self._texts
        for part in () if parent is None else parent:
            name = _name(part.tag)
            if len(part):
                self.groups.append((name, part))
            elif (text := (part.text or "").strip(_SPACE)) and texts.setdefault(name, text) != text:
                self._twice.add(name)

    def get(self, name: str) -> str | None:
        """A value without the space around it; None: it is missing or empty.

        Raises:
            BadAnswer: there are two of it that differ, and which one is meant is not ours to guess.
        """
        key = name.lower()
        check(key not in self._twice, "the answer has an element twice")
        return self._texts.get(key)

    def shown(self, name: str) -> str | None:
        """A value that decides nothing; None also where there are two that differ."""
        key = name.lower()
        return None if key in self._twice else self._texts.get(key)


class Answer:
    """An AEON response.

    Attributes:
        refused: the provider says that the event failed; `data` tells why.
        session_id: None where the answer has none, as those to events without a session.
        code: the error code: AEON's own, if there is one.
        text: what the provider says of the error.
    """

    __slots__ = ("code", "data", "event_type", "refused", "session_id", "text")

    def __init__(self, body: bytes) -> None:
        """Read an answer.

        Raises:
            BadAnswer: it is no AEON response, or has two error codes.
        """
        root = parse(body)
        check(_name(root.tag) == "response", "the answer is no response")
        parts = {_name(part.tag): part for part in root}
        check(len(parts) == len(root), "the answer has an element twice")
        self.event_type = _text(parts.get("eventtype"))
        self.session_id = _text(parts.get("sessionid"))
        event_code = Fields(parts.get("event")).get("EventCode")
        check(event_code in ("0", "1"), "the answer has no EventCode that we know")
        self.refused = event_code == "1"
        self.data = Fields(parts.get("data"))
        # Read once and here, where a contradiction is still a finding about the answer.
        self.code = self.data.get("AEONErrorCode") or self.data.get("ErrorCode")
        self.text = self.data.shown("AEONErrorText") or self.data.shown("ErrorText")
        if not self.refused:
            check(self.code in (None, "0"), "the answer succeeds with an error code")


def answer_to(body: bytes, event_type: str, session_id: str | None = None) -> Answer:
    """Read the answer to an event.

    Raises:
        BadAnswer: it is no AEON response, or that of another event or session.
    """
    answer = Answer(body)
    check(answer.event_type == event_type, "the answer is to another event")
    check(answer.session_id in (None, session_id), "the answer is of another session")
    return answer


def _text(part: Element | None) -> str | None:
    return None if part is None else own_text(part) or None


@lru_cache(maxsize=256)  # a protocol has dozens
def _name(tag: object) -> str:
    if not isinstance(tag, str):
        raise BadAnswer("the answer has something other than elements in it")
    return tag.rpartition("}")[2].lower()
