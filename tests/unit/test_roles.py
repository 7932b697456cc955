"""The permissions table is that of the specification, and what excludes each other cannot be given together."""

import pytest

from voucherswitch.people.roles import (
    MATRIX,
    PERMISSIONS,
    READ_ONLY,
    ROLES,
    RoleError,
    check_custom,
    check_roles,
    permissions_of,
)

# The table of backoffice §1.1, as it is written there.
TABLE = """
| permission | viewer | support | configurer | fin. operator | fin. approver | admin | auditor |
|---|---|---|---|---|---|---|---|
| `transaction.view`, `trace.view`, `voucher.view`, `monitoring.view`, `alert.view` | ✓ | ✓ | ✓ | ✓ | ✓ | ✓ | ✓ |
| `transaction.export`, `support_pack.download` | | ✓ | ✓ | ✓ | ✓ | ✓ | ✓ |
| `pin.reveal` (time-limited grant on top of a role, §2.4) | | grant | | | | | |
| `voucher.hold` (hold, release) | | ✓ | | | ✓ | | |
| `voucher.transition` (ask to roll back, roll forward, settle an UNKNOWN) | | ✓ | | ✓ | | | |
| `saf.view` | ✓ | ✓ | ✓ | ✓ | ✓ | ✓ | ✓ |
| `saf.operate` (pause, resume, resend) | | ✓ | ✓ | | | ✓ | |
| `saf.discard` (ask) | | ✓ | | ✓ | | | |
| `operations.approve` (voucher transitions, discards) | | | | | ✓ | ✓ | |
| `config.view` | | ✓ | ✓ | ✓ | ✓ | ✓ | ✓ |
| `config.edit` (maps, products, routes, originators, providers, maintenance) | | | ✓ | | | | |
| `config.approve` | | | ✓ | | | ✓ | |
| `credential.rotate`, `secret.set` (ask) | | | ✓ | | | ✓ | |
| `loadbalancer.operate` | | | ✓ | | | ✓ | |
| `finance.view`, `finance.report.download` | | | | ✓ | ✓ | | ✓ |
| `finance.file` (upload, roll back: ask), `finance.resolve` (ask), `finance.settle` (calculate) | | | | ✓ | | | |
| `finance.setup` (process, mapping, contract, report definition: ask) | | | | ✓ | | | |
| `finance.approve` | | | | | ✓ | | |
| `alert.work` (acknowledge, silence up to 24 h) | | ✓ | ✓ | ✓ | ✓ | ✓ | |
| `alert.edit` (rules, recipients, longer silences) | | | | | | ✓ | |
| `user.view`, `role.view` | | | | | | ✓ | ✓ |
| `user.edit`, `role.edit` (ask), `user.approve` | | | | | | ✓ | |
| `audit.view`, `audit.export` | | | | | | view | ✓ |
| `system.view` | | ✓ | ✓ | | | ✓ | ✓ |
| `system.operate` (jobs, keys, drain) | | | | | | ✓ | |
"""
COLUMNS = ("viewer", "support", "configurer", "finance_operator", "finance_approver", "admin", "auditor")


def specified() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for line in TABLE.strip().splitlines()[2:]:
        first, *marks = [cell.strip() for cell in line.strip("|").split("|")]
        for permission in first.split("`")[1::2]:
            word = permission.rpartition(".")[2]
            found[permission] = {role for role, mark in zip(COLUMNS, marks, strict=True) if mark == "✓" or mark == word}
    return found


def test_the_table_in_code_is_the_specified_one() -> None:
    assert tuple(ROLES) == COLUMNS
    assert {permission: set(roles) for permission, roles in MATRIX.items()} == specified()


@pytest.mark.parametrize(
    "roles",
    [
        ("finance_operator", "finance_approver"),
        ("admin", "finance_approver"),
        ("auditor", "support"),
        ("auditor", "admin"),
        ("auditor", "finance_operator"),
        ("viewer", "finance_operator", "finance_approver"),
    ],
    ids=" ".join,
)
def test_roles_that_exclude_each_other_cannot_be_given_together(roles: tuple[str, ...]) -> None:
    with pytest.raises(RoleError, match="cannot be held together"):
        check_roles(roles, {})


@pytest.mark.parametrize("roles", [*((role,) for role in ROLES), ("viewer", "auditor"), ("support", "configurer")])
def test_each_role_alone_and_the_usual_pairs_can_be_given(roles: tuple[str, ...]) -> None:
    check_roles(roles, {})


def test_a_custom_role_obeys_the_same_exclusions() -> None:
    custom = {"teller": frozenset({"finance.settle"}), "reader": frozenset({"finance.view"})}
    check_roles(("finance_approver", "reader"), custom)
    with pytest.raises(RoleError, match="does not approve it"):
        check_roles(("finance_approver", "teller"), custom)
    with pytest.raises(RoleError, match="cannot be held together"):
        check_custom("everything", PERMISSIONS - {"pin.reveal"})
    check_custom("reader", READ_ONLY)


@pytest.mark.parametrize(
    ("role", "permissions", "why"),
    [
        ("admin", {"config.view"}, "built-in"),
        ("x", {"config.viewing"}, "no permission"),
        ("x", set(), "at least one"),
        ("x", {"pin.reveal"}, "granted to a person"),
    ],
)
def test_what_cannot_be_a_custom_role(role: str, permissions: set[str], why: str) -> None:
    with pytest.raises(RoleError, match=why):
        check_custom(role, permissions)


def test_an_unknown_role_cannot_be_given_and_gives_nothing() -> None:
    with pytest.raises(RoleError, match="no role boss"):
        check_roles(("boss",), {})
    with pytest.raises(RoleError, match="at least one"):
        check_roles((), {})
    assert permissions_of(("boss",), {}) == frozenset()
    assert permissions_of(("was",), {"was": {"config.view", "a.permission.of.before"}}) == {"config.view"}
