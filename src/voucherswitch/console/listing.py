"""The list of transactions: its filters as the URL has them, and the query they make. Keyset paging, never OFFSET.

Only words from fixed tables are written into the SQL; whatever a person typed is a parameter.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from voucherswitch.console.queries import UNRESOLVED
from voucherswitch.console.reader import Connection
from voucherswitch.message.states import Kind, State

SIZES: Final = (25, 50, 100, 200)
SIZE: Final = 50
TEXT_CHARS_MAX: Final = 100

_STATE_SQL: Final[Mapping[str, str]] = {
    **{state.name.lower(): f"t.state = {state.value}" for state in State},
    "unresolved": UNRESOLVED,
}
_KIND_SQL: Final[Mapping[str, str]] = {kind.name.lower(): f"t.kind = {kind.value}" for kind in Kind}
STATES: Final = tuple(_STATE_SQL)
KINDS: Final = tuple(_KIND_SQL)

_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_REFERENCE: Final = re.compile(r"VSW-([0-9]{1,18})", re.IGNORECASE)
_CURSOR: Final = re.compile(r"([0-9]{1,18})_([0-9a-f]{32})_([0-9]{1,5})")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Times that both Python and PostgreSQL can hold: 0001 to 9999.
_MICROSECONDS_MAX: Final = 253_402_300_799_999_999


class BadFilterError(Exception):
    """A filter cannot be understood. The text says which and what it takes."""


class Key(Struct, frozen=True):
    """A row's place in the list."""

    opened_at: datetime
    request_id: UUID
    generation: int

    def __str__(self) -> str:
        return f"{(self.opened_at - _EPOCH) // timedelta(microseconds=1)}_{self.request_id.hex}_{self.generation}"


class Filters(Struct, frozen=True, kw_only=True):
    """What the list is narrowed to; "" and None: not at all. `older` and `newer` are exclusive bounds of the page."""

    state: str = ""
    kind: str = ""
    originator: str = ""
    text: str = ""
    day: date | None = None
    size: int = SIZE
    older: Key | None = None
    newer: Key | None = None

    @property
    def narrowed(self) -> bool:
        """Whether anything is filtered out."""
        return bool(self.state or self.kind or self.originator or self.text or self.day)

    @property
    def only_id(self) -> UUID | None:
        """The id that was typed, if it is one and nothing else is asked."""
        if self.older or self.newer or self != Filters(text=self.text, size=self.size):
            return None
        return UUID(self.text) if _UUID.fullmatch(self.text) else None

    def url(self, **changes: Any) -> str:
        """The address of this list with some filters changed; it begins at the newest unless a bound is given."""
        changed = replace(self, **{"older": None, "newer": None, **changes})
        values = {name: getattr(changed, name) for name in changed.__struct_fields__}
        query = urlencode(
            {name: str(value) for name, value in values.items() if value not in ("", None, _DEFAULT[name])}
        )
        return f"/transactions?{query}" if query else "/transactions"


_DEFAULT: Final[Mapping[str, object]] = {**dict.fromkeys(Filters.__struct_fields__), "size": SIZE}


class Line(Struct):
    """One line of the list."""

    request_id: UUID
    generation: int
    reference: int
    kind: int
    state: int
    has_request: bool
    originator_id: str
    receiver_id: str | None
    product_id: str | None
    provider_id: str | None
    amount_cents: int | None
    currency: str | None
    voucher_serial: str | None
    error_type: str | None
    alert: str | None
    opened_at: datetime
    unresolved: bool

    @property
    def key(self) -> Key:
        """Its place in the list."""
        return Key(self.opened_at, self.request_id, self.generation)


class Page(Struct, frozen=True):
    """Lines, the newest first, and where the neighbouring pages begin."""

    lines: list[Line]
    newer: Key | None
    older: Key | None


def parse(query: Iterable[tuple[str, str]]) -> Filters:
    """Read the filters of a URL; an empty value is no filter.

    Raises:
        BadFilterError: an unknown name, a name given twice, or a value that cannot be.
    """
    given: dict[str, str] = {}
    for name, value in query:
        if name not in _DEFAULT:
            raise BadFilterError(f"There is no filter “{name[:40]}”. There are: {', '.join(_DEFAULT)}.")
        if name in given:
            raise BadFilterError(f"The filter “{name}” is given twice.")
        if text := value.strip():
            given[name] = text
    for name in ("originator", "text"):
        if len(given.get(name, "")) > TEXT_CHARS_MAX or "\0" in given.get(name, ""):
            raise BadFilterError(f"The filter “{name}” takes at most {TEXT_CHARS_MAX} characters of text.")
    if "older" in given and "newer" in given:
        raise BadFilterError("A page begins after “older” or “newer”, not after both.")
    return Filters(
        state=_word(given, "state", STATES),
        kind=_word(given, "kind", KINDS),
        originator=given.get("originator", ""),
        text=given.get("text", ""),
        day=_day(given.get("day")),
        size=int(_word(given, "size", [str(size) for size in SIZES]) or SIZE),
        older=_key("older", given.get("older")),
        newer=_key("newer", given.get("newer")),
    )


def _word(given: Mapping[str, str], name: str, words: Iterable[str]) -> str:
    value = given.get(name, "").lower()
    if value and value not in words:
        raise BadFilterError(f"The filter “{name}” takes one of: {', '.join(words)}.")
    return value


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        day = date.fromisoformat(text)
        day + timedelta(days=1)  # the last day of the calendar has no tomorrow
    except (ValueError, OverflowError):
        raise BadFilterError("The filter “day” takes a day in UTC: 2026-11-23.") from None
    return day


def _key(name: str, text: str | None) -> Key | None:
    if text is None:
        return None
    match = _CURSOR.fullmatch(text)
    if match is None or int(match[1]) > _MICROSECONDS_MAX or int(match[3]) > 32_767:
        raise BadFilterError(f"“{name}” is not a place in this list. Start again without it.")
    return Key(_EPOCH + timedelta(microseconds=int(match[1])), UUID(match[2]), int(match[3]))


async def read(connection: Connection, filters: Filters) -> Page:
    """Read one page, the newest first."""
    backwards = filters.newer is not None
    sql, values = _statement(filters)
    lines = [Line(**dict(row)) for row in await connection.fetch(sql, *values)]
    more = len(lines) > filters.size
    lines = lines[: filters.size]
    if backwards:
        lines.reverse()
    first, last = (lines[0].key, lines[-1].key) if lines else (filters.newer, filters.older)
    return Page(
        lines,
        newer=first if (more if backwards else filters.older is not None) else None,
        older=last if (True if backwards else more) else None,
    )


def _statement(filters: Filters) -> tuple[str, list[object]]:
    """The query of one page, with one row more than fits to see whether there is another."""
    conditions = ["true"]
    values: list[object] = []

    def add(condition: str, *parameters: object) -> None:
        places = [f"${number}" for number in range(len(values) + 1, len(values) + len(parameters) + 1)]
        conditions.append(condition.format(*places))
        values.extend(parameters)

    if filters.state:
        add(_STATE_SQL[filters.state])
    if filters.kind:
        add(_KIND_SQL[filters.kind])
    if filters.originator:
        add("t.originator_id = {}", filters.originator)
    if filters.day:
        start = datetime.combine(filters.day, time.min, UTC)
        add("t.opened_at >= {} AND t.opened_at < {}", start, start + timedelta(days=1))
    if filters.text:
        _add_text(filters.text, add)
    backwards = filters.newer is not None
    if key := filters.newer or filters.older:
        sign = ">" if backwards else "<"
        add(
            f"(t.opened_at, t.request_id, t.generation) {sign} ({{}}, {{}}, {{}})",
            *(key.opened_at, key.request_id, key.generation),
        )
    order = "ASC" if backwards else "DESC"
    sql = f"""
SELECT t.request_id, t.generation, t.reference, t.kind, t.state, t.has_request, t.originator_id, t.receiver_id,
       t.product_id, t.provider_id, coalesce(t.approved_cents, t.amount_cents) AS amount_cents, t.currency,
       t.voucher_serial, t.error -> 'refusal' ->> 'error_type' AS error_type, t.alert, t.opened_at,
       ({UNRESOLVED}) AS unresolved
  FROM transaction AS t
 WHERE {" AND ".join(conditions)}
 ORDER BY t.opened_at {order}, t.request_id {order}, t.generation {order}
 LIMIT {filters.size + 1}
"""  # noqa: S608 (fixed words and numbered parameters; size is one of SIZES)
    return sql, values


def _add_text(text: str, add: Any) -> None:
    """What was typed tells by its shape what it is: an id, our reference, or a voucher's serial number."""
    if _UUID.fullmatch(text):
        add(
            "t.request_id IN (SELECT {0}::uuid UNION ALL SELECT request_id FROM advice WHERE advice_id = {0})",
            UUID(text),
        )
    elif match := _REFERENCE.fullmatch(text):
        add("t.reference = {}", int(match[1]))
    else:
        add("t.voucher_serial = {}", text)
