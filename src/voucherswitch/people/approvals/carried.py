"""Changes that whoever asked for them makes himself, once somebody else has agreed.

For what is more than a row in a table: a password that is typed, a secret that is shown once, a file that is read. The
change is made, looked at and undone to ask for it; made again, it must be just what was agreed to, value by value, from
what was before to what comes after. Nothing secret ever waits in a request: of a password it says `changed`, and the
password is the one that is given when it is carried out. That happens once; what goes wrong undoes it, and it may be
tried again until the request's time is over.

`take` and `carried_out` belong into the transaction of the change; `ask` does not.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct, structs

from voucherswitch.catalogue.store import Connection
from voucherswitch.config.limits import APPROVAL_IMPACT_CHARS_MAX
from voucherswitch.people.approvals import engine
from voucherswitch.people.approvals.action import ACTIONS, Action, Proposal, register
from voucherswitch.people.approvals.engine import Maker, Request
from voucherswitch.people.audit import Event, record
from voucherswitch.people.audit.event import bounded
from voucherswitch.people.people import PeopleError, Policy
from voucherswitch.people.users import holders

# Which changes of the audit trail need which agreement (backoffice §1.2). What is not here is done at once: because
# minutes matter (revoking, pausing, maintenance), or because it changes nobody's money.
NEEDS: Final = {
    "originator.add": "config.publish",
    "originator.change": "config.publish",
    "receiver.change": "config.publish",
    "product.change": "config.publish",
    "product.import": "config.publish",
    "route.change": "config.publish",
    "provider.add": "config.publish",
    "provider.change": "config.publish",
    "secret.set": "secret.set",
    "credential.issue": "credential.issue",
    "allowlist.change": "allowlist.change",
    "voucher.settle_unknown": "voucher.settle_unknown",
}


class Wish(Struct, frozen=True, kw_only=True):
    """A change as it is asked for and agreed to. `before` and `after` are masked, as the audit trail keeps them."""

    action: str
    object_kind: str
    object_id: str
    before: Any
    after: Any

    @classmethod
    def of(
        cls,
        action: str,
        object_kind: str,
        object_id: str | None,
        before: Mapping[str, Any] | None,
        after: Mapping[str, Any] | None,
    ) -> "Wish":
        """A change that is made just now, or would be."""
        return cls(
            action=action, object_kind=object_kind, object_id=object_id or "", before=bounded(before),
            after=bounded(after),
        )  # fmt: skip

    @property
    def impact(self) -> str:
        """What it does, in a line: what is given a value, and which."""
        old, new = self.before or {}, self.after or {}
        parts = [
            f"{name}: {_text(new[name])}" if name not in old else f"{name}: {_text(old[name])} → {_text(new[name])}"
            for name in new
            if name not in old or old[name] != new[name]
        ]
        parts += [f"{name}: {_text(old[name])} → removed" for name in old if name not in new]
        text = f"{self.object_kind} {self.object_id} gets ".replace("  ", " ") + ("; ".join(parts) or "nothing new")
        return text if len(text) <= APPROVAL_IMPACT_CHARS_MAX else text[: APPROVAL_IMPACT_CHARS_MAX - 1] + "…"


class NotAgreedError(PeopleError):
    """Nobody has agreed to this change yet: it is to be undone, and asked for."""

    def __init__(self, wish: Wish, moved: str | None = None) -> None:
        super().__init__(f"somebody else must agree: {wish.impact}")
        self.wish, self.moved = wish, moved


async def two_must_agree(connection: Connection, policy: Policy, action_name: str) -> bool:
    """Whether a change waits for a second person: where there is nobody yet, the host sets up by itself."""
    if not policy.two_agree:
        return False
    approving = ACTIONS[action_name].approves
    return bool(await holders(connection, "user.approve") or await holders(connection, approving))


async def take(connection: Connection, maker: Maker, wish: Wish) -> Request:
    """The request by which this very change was agreed to, held until the transaction ends.

    Raises:
        NotAgreedError: there is none. `moved` names one that was agreed to when its object was another.
        PeopleError: there is one, and somebody else asked for it.
    """
    # The table before the trail, as whoever asks does: otherwise each of the two could wait for the other.
    await connection.execute("LOCK TABLE approval IN ROW EXCLUSIVE MODE")
    rows = await connection.fetch(
        "SELECT approval_id, requested_by, before, after FROM approval"
        " WHERE state = 'APPROVED' AND action = $1 AND object_kind = $2 AND object_id = $3"
        " AND expires_at > clock_timestamp() ORDER BY decided_at FOR UPDATE",
        wish.action, wish.object_kind, wish.object_id,
    )  # fmt: skip
    alike = [row for row in rows if _read(row["after"]) == wish.after]
    own = [row for row in alike if row["requested_by"] == maker.actor.id]
    for row in own:
        if _read(row["before"]) == wish.before:
            return await engine.read(connection, row["approval_id"])
    if own:
        raise NotAgreedError(wish, moved=own[0]["approval_id"])
    if alike:
        raise PeopleError(
            f"this was agreed to as {alike[0]['approval_id']}: it is for {alike[0]['requested_by']}, who asked, to do"
        )
    raise NotAgreedError(wish)


async def carried_out(connection: Connection, maker: Maker, asked: Request) -> None:
    """Say of a request that its change is made."""
    await engine.ended(connection, maker.actor, asked, "EXECUTED", "approval.execute", f"done by {maker.actor.id}")


async def waiting(connection: Connection, wish: Wish) -> str | None:
    """The request for this that waits for somebody to agree; None: there is none."""
    found: str | None = await connection.fetchval(
        "SELECT approval_id FROM approval WHERE state = 'REQUESTED' AND action = $1 AND object_kind = $2"
        " AND object_id = $3 AND expires_at > clock_timestamp()",
        wish.action, wish.object_kind, wish.object_id,
    )  # fmt: skip
    return found


async def ask(connection: Connection, policy: Policy, maker: Maker, refused: NotAgreedError, comment: str) -> Request:
    """Ask for a change that nobody has agreed to; one that was agreed to when its object was another ends STALE.

    Raises:
        NotAllowedError, PeopleError: as `request`.
    """
    wish = refused.wish
    if refused.moved is not None:
        async with connection.transaction():
            moved = await engine.read(connection, refused.moved)
            if moved.state == "APPROVED":
                await engine.ended(
                    connection, maker.actor, moved, "STALE", "approval.stale", "it was changed since this was asked for"
                )
    proposal = Proposal(
        object_kind=wish.object_kind, object_id=wish.object_id, impact=wish.impact, before=wish.before, after=wish.after
    )
    return await engine.request(policy, connection, maker, wish.action, {}, comment, proposal=proposal)


class Consent:
    """Asks, for one maker, whether a change that the audit trail tells of may be made."""

    def __init__(self, policy: Policy, maker: Maker) -> None:
        self.policy, self.maker = policy, maker

    async def seen(self, connection: Connection, event: Event) -> None:
        """See whether it may be made before anything is begun for it.

        Raises:
            NotAgreedError, PeopleError: as `take`.
        """
        if await two_must_agree(connection, self.policy, NEEDS[event.action]):
            async with connection.transaction():
                await take(connection, self.maker, _wish(event))

    async def record(self, connection: Connection, event: Event) -> None:
        """Record that it is made, in its transaction, with the request by which it was agreed to.

        Raises:
            NotAgreedError, PeopleError: as `take`.
        """
        if not await two_must_agree(connection, self.policy, NEEDS[event.action]):
            await record(connection, event)
            return
        asked = await take(connection, self.maker, _wish(event))
        await record(connection, structs.replace(event, approval_id=asked.approval_id))
        await carried_out(connection, self.maker, asked)


def _wish(event: Event) -> Wish:
    return Wish.of(NEEDS[event.action], event.object_kind, event.object_id, event.before, event.after)


def _read(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


register(Action(name="config.publish", asks="config.edit", approves="config.approve"))
register(Action(name="secret.set", asks="secret.set", approves="config.approve"))
register(Action(name="credential.issue", asks="credential.rotate", approves="config.approve"))
register(Action(name="allowlist.change", asks="credential.rotate", approves="config.approve"))
register(Action(name="voucher.settle_unknown", asks="voucher.transition", approves="operations.approve", money=True))
