"""An audit event: who did what to what, when, and the hash that ties it to the one before. Pure."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final, Literal

from msgspec import Struct

from voucherswitch.config.limits import AUDIT_TEXT_CHARS_MAX, AUDIT_VALUE_BYTES_MAX
from voucherswitch.message.smells import is_secret
from voucherswitch.monitoring.logs import MASK
from voucherswitch.people.audit.canonical import WHOLE_MAX, canonical

SAID_OF_SECRETS: Final = ("set", "changed", "removed")
GENESIS: Final = bytes(32)  # what event 1 follows
HEAD_TEXT: Final = r"(\d{1,19}):([0-9a-f]{64})"

Outcome = Literal["OK", "REFUSED", "FAILED"]


class Actor(Struct, frozen=True, kw_only=True):
    """Who acts: a signed-in user (id `u-1`), somebody on a host (`cli:name@host`), or the switch (`system:worker`)."""

    kind: Literal["user", "cli", "system"]
    id: str
    roles: tuple[str, ...] = ()  # as they are at this moment
    session_id: str | None = None
    ip: str | None = None
    correlation_id: str | None = None


class Event(Struct, frozen=True, kw_only=True):
    """What an actor did. `before` and `after` are masked: of a secret they say `set`, `changed` or `removed`."""

    actor: Actor
    action: str
    object_kind: str
    object_id: str | None = None
    reason: str | None = None
    approval_id: str | None = None
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    outcome: Outcome = "OK"


def fields_of(event: Event, seq: int, at: datetime) -> dict[str, Any]:
    """An event's fields as they are hashed and stored."""
    actor = event.actor
    return {
        "seq": seq,
        "at": written(at),
        "actor_kind": actor.kind,
        "actor_id": _text(actor.id),
        "roles": sorted(_text(role) for role in actor.roles),
        "session_id": actor.session_id,
        "ip": actor.ip,
        "correlation_id": None if actor.correlation_id is None else _text(actor.correlation_id),
        "action": event.action,
        "object_kind": event.object_kind,
        "object_id": None if event.object_id is None else _text(event.object_id),
        "reason": None if event.reason is None else _text(event.reason),
        "approval_id": event.approval_id,
        "before": bounded(event.before),
        "after": bounded(event.after),
        "outcome": event.outcome,
    }


def hash_of(prev_hash: bytes, fields: Mapping[str, Any]) -> bytes:
    """SHA-256 over the hash before, in hex, and the canonical JSON of all other fields."""
    return hashlib.sha256(prev_hash.hex().encode() + canonical(fields)).digest()


def written(at: datetime) -> str:
    """A time as it is hashed: UTC, milliseconds, `2026-11-16T06:30:00.000Z`."""
    at = at.astimezone(UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def head_text(seq: int, digest: bytes) -> str:
    """The head of the trail as it is written to the log and typed in commands: `17:d6c65c…`."""
    return f"{seq}:{digest.hex()}"


def plain(value: object) -> Any:
    """A value of ours as an event may hold it: enums by name, times and ids as texts, sets in order."""
    match value:
        case Enum():
            return value.name.lower()
        case None | bool() | str():
            return value
        case int() if abs(value) <= WHOLE_MAX:
            return value
        case datetime():
            return written(value)
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case Struct():
            return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
        case set() | frozenset():
            return sorted(plain(item) for item in value)
        case list() | tuple():
            return [plain(item) for item in value]
        case _:
            return str(value)


def _text(text: str) -> str:
    # PostgreSQL stores no NUL and UTF-8 no half of a pair; a text that holds one must not keep its event from being
    # recorded.
    text = text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    return text if len(text) <= AUDIT_TEXT_CHARS_MAX else text[: AUDIT_TEXT_CHARS_MAX - 1] + "…"


def bounded(value: Mapping[str, Any] | None) -> Any:
    """A value as it is stored: masked, and of one that is too large its size and checksum."""
    if value is None:
        return None
    cleaned = _cleaned(plain(value))
    encoded = canonical(cleaned)
    if len(encoded) <= AUDIT_VALUE_BYTES_MAX:
        return cleaned
    return {"too_large_bytes": len(encoded), "sha256": hashlib.sha256(encoded).hexdigest()}


def _cleaned(value: Any) -> Any:
    """A net under those who record: no value of a key that names a secret, whatever they handed over."""
    match value:
        case str():
            return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
        case dict():
            return {_cleaned(key): _shown(key, item) for key, item in value.items()}
        case list():
            return [_cleaned(item) for item in value]
        case _:
            return value


def _shown(key: str, value: Any) -> Any:
    if is_secret(key) and not (value is None or isinstance(value, bool) or value in SAID_OF_SECRETS):
        return MASK
    return _cleaned(value)
