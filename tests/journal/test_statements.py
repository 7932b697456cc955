"""The journal's batched statements, and their forms for one row, as PostgreSQL understands them."""

import asyncpg
import pytest

from voucherswitch.journal import statements
from voucherswitch.journal.statements import Statement, alone_of

BATCHED = [value for value in vars(statements).values() if isinstance(value, Statement)]
ALONE = [statement for statement in BATCHED if statement.alone is not None]


@pytest.mark.parametrize("statement", ALONE, ids=lambda statement: statement.name)
async def test_a_statement_for_one_row_takes_what_the_batched_one_takes_and_returns_the_same(
    statement: Statement, journal_pool: asyncpg.Pool
) -> None:
    assert statement.alone is not None
    async with journal_pool.acquire() as connection:
        batched = await connection.prepare(statement.sql)
        alone = await connection.prepare(statement.alone)
        taken = [parameter.name for parameter in batched.get_parameters()]
        taken_alone = [parameter.name for parameter in alone.get_parameters()]
        returned = [(column.name, column.type) for column in batched.get_attributes()]
        assert [(column.name, column.type) for column in alone.get_attributes()] == returned
    columns = statement.columns
    assert taken_alone == [*(name.removesuffix("[]") for name in taken[:columns]), *taken[columns:]]


def test_every_write_of_the_journal_has_a_form_for_one_row() -> None:
    """Reads ask by a list of keys, and legs alone have no columns."""
    without = {statement.name for statement in BATCHED if statement.alone is None}
    assert without == {"read_records", "read_advices", "owed_of_vouchers", "read_vouchers", "record_legs"}


def test_a_statement_whose_columns_are_in_several_lists_has_no_form_for_one_row() -> None:
    assert alone_of("SELECT * FROM unnest($1::uuid[]) AS a, unnest($2::text[]) AS b", 2) is None
