"""Changes of people that two must agree on: `user.change`, `role.change`, `pin.grant`."""

from collections.abc import Mapping
from typing import Any, Final

from voucherswitch.catalogue.store import Connection
from voucherswitch.people import guards, user_changes, users
from voucherswitch.people.approvals.action import Action, Making, Payload, Proposal, register
from voucherswitch.people.audit import audited
from voucherswitch.people.people import PeopleError
from voucherswitch.people.roles import RoleError, check_custom, check_roles

# What `user.change` can do to a user who is there, in words.
_DOES: Final = {
    "roles": "holds the roles {roles}",
    "unlock": "may try to sign in again at once",
    "reset_factor": "loses the second factor and sets up another at the next sign-in",
    "reset_password": "loses the password and is invited to set another",
    "enable": "may sign in again",
    "disable": "may sign in no longer",
}


async def _propose_user(connection: Connection, payload: Payload) -> Proposal:
    do, name = payload["do"], payload["name"].lower()
    if do == "create":
        users.check_name(name)
        if await users.find(connection, name) is not None:
            raise PeopleError(f"there is a user {name} already; see: voucherswitch user show {name}")
        roles = await users.checked_roles(connection, payload["roles"])
        return Proposal(
            object_kind="user",
            object_id=name,
            after={"name": name, "full_name": payload["full_name"], "email": payload["email"], "roles": roles},
            impact=f"{name} may be invited, with the roles {', '.join(roles)}",
        )
    if do not in _DOES:
        raise PeopleError(f"there is no change {do!r} of a user")
    user = await users.held(connection, name)
    after: dict[str, Any] = {"do": do}
    if do == "roles":
        after = {"roles": await users.checked_roles(connection, payload["roles"])}
        if list(user.roles) == after["roles"]:
            raise PeopleError(f"{user.name} holds just these roles")
    impact = f"{user.name} {_DOES[do].format(roles=', '.join(after.get('roles', ())))}"
    return Proposal(
        object_kind="user", object_id=user.user_id, version=str(user.version), impact=impact,
        before={"roles": list(user.roles), "enabled": user.enabled}, after=after,
    )  # fmt: skip


async def change_user(making: Making, payload: Payload) -> str:
    """Make a change of a user; returns what came of it."""
    connection, actor, approval_id = making.connection, making.actor, making.approval_id or None
    policy, name = making.people.policy, payload["name"].lower()
    match payload["do"]:
        case "create":
            user = await users.create(
                connection, actor, name=name, full_name=payload["full_name"], email=payload["email"],
                roles=payload["roles"], approval_id=approval_id,
            )  # fmt: skip
            return f"{user.name} is {user.user_id}; a link to set the password: voucherswitch user invite {user.name}"
        case "roles":
            user = await user_changes.set_roles(
                connection, actor, name, payload["roles"], policy, approval_id=approval_id
            )
            return f"{user.name} holds {', '.join(user.roles)}"
        case "unlock":
            async with audited(connection, actor, "user.unlock", "user") as change:
                user = await users.held(connection, name)
                change.object_id, change.approval_id = user.user_id, approval_id
                known = await guards.forget(connection, making.people, user.name)
                change.before, change.after = {"failures": "counted" if known else "none"}, {"failures": "none"}
            return f"{user.name} may try to sign in again"
        case "reset_factor":
            user = await user_changes.reset_factor(connection, actor, name, approval_id=approval_id)
            return f"{user.name} sets up a second factor at the next sign-in"
        case "reset_password":
            user = await user_changes.reset_password(connection, actor, name, policy, approval_id=approval_id)
            return f"{user.name} has no password; a link to set one: voucherswitch user invite {user.name}"
        case "enable" | "disable" as do:
            user = await user_changes.set_enabled(
                connection, actor, name, policy, enabled=do == "enable", approval_id=approval_id
            )
            return f"{user.name} is {do}d"
        case other:
            raise PeopleError(f"there is no change {other!r} of a user")


async def _propose_role(connection: Connection, payload: Payload) -> Proposal:
    role = payload["role"]
    row = await connection.fetchrow("SELECT * FROM custom_role WHERE role = $1 FOR UPDATE", role)
    before = None if row is None else _shown(dict(row))
    version = None if row is None else str(row["version"])
    if payload["do"] == "delete":
        if row is None:
            raise PeopleError(f"there is no custom role {role}; see: voucherswitch role list")
        if names := await connection.fetchval(
            "SELECT string_agg(user_id, ', ') FROM operator_role WHERE role = $1", role
        ):
            raise PeopleError(f"{names} hold the role {role}: take it from them first")
        return Proposal(
            object_kind="role", object_id=role, before=before, version=version, impact=f"the role {role} is gone"
        )
    users.check_name(role)
    wanted = sorted(set(payload["permissions"]))
    try:
        check_custom(role, wanted)
        custom = {**await users.custom_roles(connection), role: frozenset(wanted)}
        for user in await users.all_users(connection):
            if role in user.roles:
                check_roles(user.roles, custom)
    except RoleError as error:
        raise PeopleError(str(error)) from None
    return Proposal(
        object_kind="role", object_id=role, before=before, version=version,
        after=_shown(payload),
        impact=f"holders of {role} may do {len(wanted)} things: {', '.join(wanted)}",
    )  # fmt: skip


def _shown(role: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": role["description"], "permissions": sorted(set(role["permissions"]))}


async def change_role(making: Making, payload: Payload) -> str:
    connection, role = making.connection, payload["role"]
    deleted = payload["do"] == "delete"
    known = await connection.fetchrow("SELECT * FROM custom_role WHERE role = $1", role)
    action = "role.delete" if deleted else "role.change" if known else "role.create"
    async with user_changes.admins_kept(connection, making.people.policy):
        if deleted:
            await connection.execute("DELETE FROM custom_role WHERE role = $1", role)
        else:
            await connection.execute(
                "INSERT INTO custom_role (role, description, permissions) VALUES ($1, $2, $3)"
                " ON CONFLICT (role) DO UPDATE SET description = excluded.description,"
                " permissions = excluded.permissions, version = custom_role.version + 1,"
                " changed_at = clock_timestamp()",
                role, payload["description"], sorted(set(payload["permissions"])),
            )  # fmt: skip
        for row in await connection.fetch("SELECT user_id FROM operator_role WHERE role = $1", role):
            await user_changes.end_sessions(connection, making.actor, row["user_id"], "roles changed")
        async with audited(connection, making.actor, action, "role", role) as change:
            change.approval_id = making.approval_id
            change.before = None if known is None else _shown(dict(known))
            change.after = None if deleted else _shown(payload)
    return f"the role {role} is {'gone' if deleted else 'as asked for'}"


async def _propose_grant(connection: Connection, payload: Payload) -> Proposal:
    user = await users.held(connection, payload["name"])
    user_changes.check_grant(user, payload["days"])
    return Proposal(
        object_kind="user", object_id=user.user_id, version=str(user.version), after={"days": payload["days"]},
        impact=f"{user.name} may reveal PINs for {payload['days']} days",
    )  # fmt: skip


async def grant_pins(making: Making, payload: Payload) -> str:
    reason = f"approval {making.approval_id}"
    await user_changes.grant_pins(
        making.connection, making.actor, payload["name"], payload["days"], reason, approval_id=making.approval_id
    )
    return f"{payload['name']} may reveal PINs for {payload['days']} days"


USER_CHANGE: Final = Action(
    name="user.change", asks="user.edit", approves="user.approve", propose=_propose_user, execute=change_user
)
register(USER_CHANGE)
register(
    Action(name="role.change", asks="role.edit", approves="user.approve", propose=_propose_role, execute=change_role)
)
register(
    Action(name="pin.grant", asks="user.edit", approves="user.approve", propose=_propose_grant, execute=grant_pins)
)
