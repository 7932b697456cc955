"""Who may do what: roles, permissions and which of them exclude each other (backoffice §1.1). Data, and pure rules.

The table below is the specification's, row by row; tests compare the two. Custom roles are made of the same permissions
and obey the same exclusions, because those are stated of permissions.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

ROLES: Final[dict[str, str]] = {
    "viewer": "Sees transactions, flows, health; changes nothing, exports nothing.",
    "support": "Investigates, asks for voucher actions, works alerts and queues.",
    "configurer": "Drafts catalogue, routes, originators, providers; runs the load balancer.",
    "finance_operator": "Loads files, resolves, prepares batches.",
    "finance_approver": "Approves money: resolutions, batches, discards, voucher transitions.",
    "admin": "Users, roles, system; approves configuration and does not draft it.",
    "auditor": "Reads everything except PINs, exports the audit trail.",
}
NEW_USER_ROLE: Final = "viewer"

_ALL: Final = frozenset(ROLES)
_BUT_VIEWER: Final = _ALL - {"viewer"}


def _to(*roles: str) -> frozenset[str]:
    return frozenset(roles)


# Permission -> the built-in roles that have it.
MATRIX: Final[dict[str, frozenset[str]]] = {
    "transaction.view": _ALL,
    "trace.view": _ALL,
    "voucher.view": _ALL,
    "monitoring.view": _ALL,
    "alert.view": _ALL,
    "transaction.export": _BUT_VIEWER,
    "support_pack.download": _BUT_VIEWER,
    "pin.reveal": _to(),  # by a grant for a time, on top of a role of GRANTABLE
    "voucher.hold": _to("support", "finance_approver"),
    "voucher.transition": _to("support", "finance_operator"),
    "saf.view": _ALL,
    "saf.operate": _to("support", "configurer", "admin"),
    "saf.discard": _to("support", "finance_operator"),
    "operations.approve": _to("finance_approver", "admin"),
    "config.view": _BUT_VIEWER,
    "config.edit": _to("configurer"),
    "config.approve": _to("configurer", "admin"),
    "credential.rotate": _to("configurer", "admin"),
    "secret.set": _to("configurer", "admin"),
    "loadbalancer.operate": _to("configurer", "admin"),
    "finance.view": _to("finance_operator", "finance_approver", "auditor"),
    "finance.report.download": _to("finance_operator", "finance_approver", "auditor"),
    "finance.file": _to("finance_operator"),
    "finance.resolve": _to("finance_operator"),
    "finance.settle": _to("finance_operator"),
    "finance.setup": _to("finance_operator"),
    "finance.approve": _to("finance_approver"),
    "alert.work": _to("support", "configurer", "finance_operator", "finance_approver", "admin"),
    "alert.edit": _to("admin"),
    "user.view": _to("admin", "auditor"),
    "role.view": _to("admin", "auditor"),
    "user.edit": _to("admin"),
    "role.edit": _to("admin"),
    "user.approve": _to("admin"),
    "audit.view": _to("admin", "auditor"),
    "audit.export": _to("auditor"),
    "system.view": _to("support", "configurer", "admin", "auditor"),
    "system.operate": _to("admin"),
}
PERMISSIONS: Final = frozenset(MATRIX)

# Roles whose holders may be granted `pin.reveal` for a time (§2.4). No custom role holds it.
GRANTABLE: Final = frozenset({"support"})

# Permissions that let their holder see, and nothing else.
READ_ONLY: Final = frozenset(
    {
        "transaction.view", "trace.view", "voucher.view", "monitoring.view", "alert.view", "transaction.export",
        "support_pack.download", "saf.view", "config.view", "finance.view", "finance.report.download", "user.view",
        "role.view", "audit.view", "audit.export", "system.view",
    }
)  # fmt: skip


class Conflict(Struct, frozen=True):
    """Permissions that nobody may hold together with others, and why."""

    some: frozenset[str]
    others: frozenset[str]
    why: str


CONFLICTS: Final = (
    Conflict(
        frozenset({"finance.file", "finance.resolve", "finance.settle", "finance.setup"}),
        frozenset({"finance.approve"}),
        "whoever prepares money does not approve it (finance_operator with finance_approver)",
    ),
    Conflict(
        frozenset({"user.edit", "role.edit", "user.approve", "system.operate"}),
        frozenset({"finance.approve"}),
        "whoever makes users does not approve money (admin with finance_approver)",
    ),
    Conflict(
        frozenset({"audit.export"}),
        PERMISSIONS - READ_ONLY,
        "whoever audits changes nothing (auditor with a role that changes anything)",
    ),
)


class RoleError(Exception):
    """Roles cannot be given so. The text says why, in one line."""


def permissions_of(roles: Iterable[str], custom: Mapping[str, Iterable[str]]) -> frozenset[str]:
    """What the holder of some roles may do. A role that is none any more gives nothing."""
    held = frozenset(roles)
    built_in = {permission for permission, holders in MATRIX.items() if not holders.isdisjoint(held)}
    return frozenset(built_in.union(*(custom[role] for role in held if role in custom))) & PERMISSIONS


def check_roles(roles: Iterable[str], custom: Mapping[str, Iterable[str]]) -> None:
    """See that these roles may be held together.

    Raises:
        RoleError: one is unknown, or two exclude each other.
    """
    held = frozenset(roles)
    if unknown := sorted(held - ROLES.keys() - custom.keys()):
        raise RoleError(f"there is no role {unknown[0]}; see: voucherswitch role list")
    if not held:
        raise RoleError("a user holds at least one role; who may do nothing is disabled")
    _check(permissions_of(held, custom), " and ".join(sorted(held)))


def check_custom(role: str, permissions: Iterable[str]) -> None:
    """See that a custom role may be made of these permissions.

    Raises:
        RoleError: its name is a built-in role's, a permission is unknown or not to be had by a role, or two of them
            exclude each other.
    """
    wanted = frozenset(permissions)
    if role in ROLES:
        raise RoleError(f"{role} is a built-in role, which stays as it is")
    if unknown := sorted(wanted - PERMISSIONS):
        raise RoleError(f"there is no permission {unknown[0]}; see: voucherswitch role list")
    if not wanted:
        raise RoleError("a role has at least one permission")
    if "pin.reveal" in wanted:
        raise RoleError("pin.reveal is granted to a person for a time, never by a role")
    _check(wanted, role)


def _check(permissions: frozenset[str], what: str) -> None:
    for conflict in CONFLICTS:
        if not conflict.some.isdisjoint(permissions) and not conflict.others.isdisjoint(permissions):
            raise RoleError(f"{what} cannot be held together: {conflict.why}")
