"""What time does to users and to what is over."""

from datetime import timedelta

from people.people_support import Office
from voucherswitch.people.tidy import disable_dormant, forget_old


async def test_who_has_not_signed_in_for_ninety_days_is_disabled_but_for_the_last_admin(office: Office) -> None:
    for name, role in (("ann", "admin"), ("joe", "support"), ("kim", "support")):
        await office.hire(name, role)
    await office.passes(timedelta(days=91))
    await office.pool.execute("UPDATE operator_user SET signed_in_at = clock_timestamp() WHERE name = 'kim'")
    async with office.pool.acquire() as connection:
        assert await disable_dormant(connection, office.people.policy) == ["joe"]
        assert await disable_dormant(connection, office.people.policy) == []
    assert [(await office.user(name)).enabled for name in ("ann", "joe", "kim")] == [True, False, True]


async def test_what_is_long_over_is_forgotten_and_the_trail_keeps_it(office: Office) -> None:
    await office.hire("ann")
    await office.signed_in("ann")
    async with office.pool.acquire() as connection:
        await forget_old(connection)
        assert await connection.fetchval("SELECT count(*) FROM operator_session") == 1
        await office.passes(timedelta(days=31))
        await forget_old(connection)
        for table in ("operator_session", "sign_in_guard"):
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0
    assert "user.sign_in" in await office.actions()
