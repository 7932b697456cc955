"""Whether there are admins enough for a production console."""

import pytest

from people.people_support import HOST, PRODUCTION, SANDBOX, Office
from voucherswitch.people.admins import admins, require_admins
from voucherswitch.people.people import PeopleError
from voucherswitch.people.user_changes import set_enabled


async def test_two_who_can_sign_in_are_needed_in_production_and_a_custom_role_counts(strict: Office) -> None:
    async with strict.pool.acquire() as connection:
        with pytest.raises(PeopleError, match=r"2 active admins are needed, and there are 0: make one"):
            await require_admins(connection, PRODUCTION)
        await strict.hire("ann", "admin")
        await strict.hire("bob", "admin")
        assert (await require_admins(connection, PRODUCTION)).active == ("ann", "bob")
        await set_enabled(connection, HOST, "bob", SANDBOX, enabled=False)
        found = await admins(connection, PRODUCTION)
        assert (found.active, found.enough, found.single) == (("ann",), False, False)
        await connection.execute("INSERT INTO custom_role VALUES ('keeper', 'Keeps', '{user.approve}')")
        await strict.hire("kim", "keeper")
        assert (await require_admins(connection, PRODUCTION)).active == ("ann", "kim")


async def test_one_does_by_a_setting_and_that_is_said(office: Office) -> None:
    await office.hire("ann", "admin")
    async with office.pool.acquire() as connection:
        found = await require_admins(connection, SANDBOX)
        assert (found.enough, found.single) == (True, True)
        await office.hire("bob", "admin")
        assert not (await admins(connection, SANDBOX)).single
