"""Whether an installation has admins enough: what a production console asks before it starts (backoffice §1.2)."""

from msgspec import Struct

from voucherswitch.catalogue.store import Connection
from voucherswitch.people.people import PeopleError, Policy
from voucherswitch.people.users import holders


class Admins(Struct, frozen=True, kw_only=True):
    """Who can agree to changes of users, and how many must be able to.

    Attributes:
        active: names of users who are enabled, can sign in and may agree.
        needed: so many must be active.
        single: one does, by a setting or because this is a sandbox: what that one asks for nobody can agree to, which a
            console is to say on every page.
    """

    active: tuple[str, ...]
    needed: int
    single: bool

    @property
    def enough(self) -> bool:
        """Whether a console may start."""
        return len(self.active) >= self.needed


async def admins(connection: Connection, policy: Policy) -> Admins:
    """Find out."""
    active = tuple(user.name for user in await holders(connection, "user.approve"))
    return Admins(active=active, needed=policy.admins_min, single=policy.admins_min < 2 and len(active) < 2)


async def require_admins(connection: Connection, policy: Policy) -> Admins:
    """The same, for what must not start without them.

    Raises:
        PeopleError: there are too few; the text says what to do.
    """
    found = await admins(connection, policy)
    if not found.enough:
        raise PeopleError(
            f"{found.needed} active admins are needed, and there are {len(found.active)}"
            f"{' (' + ', '.join(found.active) + ')' if found.active else ''}: make one with voucherswitch user invite "
            "NAME --role admin, then user set-up NAME; console_single_admin=true lets one do"
        )
    return found
