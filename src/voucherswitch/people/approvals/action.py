"""What can be asked for and must be agreed to by somebody else. Each kind of change registers itself here.

A change says how it is looked at (`propose`: is it possible, what would it do, which version of its object is it about)
and how it is made (`execute`). One that says neither is carried out by whoever asked for it, once somebody else has
agreed (carried.py). Who may ask and who may agree is data.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias

from msgspec import Struct

from voucherswitch.catalogue.store import Connection
from voucherswitch.people.audit import Actor
from voucherswitch.people.people import People

Payload: TypeAlias = Mapping[str, Any]


class Proposal(Struct, frozen=True, kw_only=True):
    """What a change would do, for whoever is to agree.

    Attributes:
        impact: in a sentence.
        version: of the object; one that is another at the decision makes the request stale.
    """

    object_kind: str
    object_id: str
    impact: str
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    version: str | None = None


class Making(Struct, frozen=True, kw_only=True):
    """What a change is made with: in the transaction of its approval, by whom, under which request."""

    people: People
    connection: Connection
    actor: Actor
    approval_id: str


class Action(Struct, frozen=True, kw_only=True):
    """A kind of change.

    Attributes:
        asks, approves: the permissions.
        money: a comment is compulsory for whoever agrees, too.
        propose: looks at a change; raises PeopleError where it is not possible.
        execute: makes it; returns what came of it, in a sentence. Raises PeopleError where it cannot be made; then all
            of it is undone, and the request has failed until somebody agrees to it once more. None: whoever asked
            makes the change.
    """

    name: str
    asks: str
    approves: str
    propose: Callable[[Connection, Payload], Awaitable[Proposal]] | None = None
    execute: Callable[[Making, Payload], Awaitable[str]] | None = None
    money: bool = False


ACTIONS: Final[dict[str, Action]] = {}


def register(action: Action) -> None:
    """Add a kind of change."""
    assert action.name not in ACTIONS, action.name
    ACTIONS[action.name] = action
