"""The journal's batched statements, and their forms for one row, as PostgreSQL understands them."""

import asyncpg
import pytest

from voucherswitch.journal import statements
from voucherswitch.journal.statements import LEGS_EACH, SIZES, Statement, alone_of, several_of

BATCHED = [value for value in vars(statements).values() if isinstance(value, Statement)]
HOT = [statement for statement in BATCHED if statement.several]
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


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("statement", HOT, ids=lambda statement: statement.name)
async def test_a_statement_for_several_rows_takes_each_row_s_values_and_returns_the_same(
    statement: Statement, size: int, journal_pool: asyncpg.Pool
) -> None:
    async with journal_pool.acquire() as connection:
        batched = await connection.prepare(statement.sql)
        several = await connection.prepare(statement.several[size])
        types = [parameter.name.removesuffix("[]") for parameter in batched.get_parameters()]
        taken = [parameter.name for parameter in several.get_parameters()]
        returned = [(column.name, column.type) for column in batched.get_attributes()]
        assert [(column.name, column.type) for column in several.get_attributes()] == returned
    children = types[statement.columns :]
    assert taken == types[: statement.columns] * size + children * (size * LEGS_EACH)


def test_both_writes_of_a_plain_provision_have_forms_for_several_rows() -> None:
    assert [statement.name for statement in HOT] == ["open_transactions", "approve_provisions"]


def test_a_statement_with_more_lists_than_groups_has_no_forms_for_several_rows() -> None:
    with pytest.raises(ValueError, match="2 times FROM unnest, and 1"):
        several_of("SELECT * FROM unnest($1::uuid[]) AS a, (SELECT 1 FROM unnest($2::text[])) AS b", 0)
