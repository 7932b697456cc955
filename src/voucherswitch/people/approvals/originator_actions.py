"""Changes of who may speak that two must agree on: `credential.issue` (a password), `allowlist.change`."""

from collections.abc import Mapping
from ipaddress import ip_network
from typing import Final

from voucherswitch.catalogue.store import Connection, set_originator
from voucherswitch.people.approvals.action import Action, Making, Payload, Proposal, register
from voucherswitch.people.audit import audited
from voucherswitch.people.people import People, PeopleError

_COLUMNS: Final = "SELECT changed_at, sources FROM originator WHERE originator_id = $1 FOR UPDATE"


async def _propose_password(_people: People, connection: Connection, payload: Payload) -> Proposal:
    known = await connection.fetchrow(_COLUMNS, payload["originator_id"])
    if known is None:
        raise PeopleError(f"originator {payload['originator_id']} does not exist; see: originator list")
    return Proposal(
        object_kind="originator", object_id=payload["originator_id"], version=str(known["changed_at"]),
        after={"password": "changed"},
        impact=f"the password that originator {payload['originator_id']} has now stops working within two seconds",
    )  # fmt: skip


async def _set_password(making: Making, payload: Payload, secrets: Mapping[str, str]) -> str:
    originator_id = payload["originator_id"]
    async with audited(making.connection, making.actor, "credential.issue", "originator", originator_id) as change:
        change.approval_id = making.approval_id
        change.after = {"password": "changed"}
        await set_originator(making.connection, originator_id, {"password_hash": secrets["password_hash"]})
    return f"the password of originator {originator_id} is set"


async def _propose_sources(_people: People, connection: Connection, payload: Payload) -> Proposal:
    known = await connection.fetchrow(_COLUMNS, payload["originator_id"])
    if known is None:
        raise PeopleError(f"originator {payload['originator_id']} does not exist; see: originator list")
    sources = _networks(payload)
    words = "wherever the listener admits" if sources is None else ", ".join(sources) or "nowhere"
    return Proposal(
        object_kind="originator", object_id=payload["originator_id"], version=str(known["changed_at"]),
        before={"sources": None if known["sources"] is None else [str(one) for one in known["sources"]]},
        after={"sources": sources}, impact=f"originator {payload['originator_id']} may speak from {words}",
    )  # fmt: skip


async def _set_sources(making: Making, payload: Payload, _secrets: Mapping[str, str]) -> str:
    originator_id = payload["originator_id"]
    async with audited(making.connection, making.actor, "allowlist.change", "originator", originator_id) as change:
        change.approval_id = making.approval_id
        sources = _networks(payload)
        change.after = {"sources": sources}
        networks = None if sources is None else [ip_network(one) for one in sources]
        await set_originator(making.connection, originator_id, {"sources": networks})
    return f"the sources of originator {originator_id} are as asked for"


def _networks(payload: Payload) -> list[str] | None:
    if payload["sources"] is None:
        return None
    try:
        return [str(ip_network(text)) for text in payload["sources"]]
    except ValueError as error:
        raise PeopleError(f"not a network: {error}") from None


register(
    Action(
        name="credential.issue", asks="credential.rotate", approves="config.approve", propose=_propose_password,
        execute=_set_password,
    )
)  # fmt: skip
register(
    Action(
        name="allowlist.change", asks="credential.rotate", approves="config.approve", propose=_propose_sources,
        execute=_set_sources,
    )
)  # fmt: skip
