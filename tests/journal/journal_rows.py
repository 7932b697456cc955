"""Rows of a journal as they would be there after some time, written as they are stored."""

import secrets
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg

_MONEY = {"amount_cents": 10_000, "approved_cents": 10_000, "currency": "710"}


async def add(connection: asyncpg.Pool, table: str, **columns: Any) -> None:
    """Insert one row; columns that are not named have their defaults."""
    places = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
    await connection.execute(
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})",  # names of this file's callers
        *columns.values(),
    )


async def a_transaction(pool: asyncpg.Pool, at: datetime, **columns: Any) -> UUID:
    """A confirmed provision that was opened at some time and not changed since, unless it is told otherwise."""
    request_id: UUID = columns.pop("request_id", None) or uuid4()
    values: dict[str, Any] = {
        "request_id": request_id, "kind": 1, "state": 5, "originator_id": "90010001", "receiver_id": "11111111",
        "provider_id": "sandbox", "provider_product": "SBXANY", "fingerprint": secrets.token_bytes(16),
        "voucher_serial": f"SX{secrets.randbelow(10**9)}", "request": secrets.token_bytes(300),
        "answer": secrets.token_bytes(400), "opened_at": at, "changed_at": at, **_MONEY,
    }  # fmt: skip
    await add(pool, "transaction", **(values | columns))
    return request_id


async def an_advice(pool: asyncpg.Pool, request_id: UUID, at: datetime, **columns: Any) -> UUID:
    """A delivered confirmation of a provision."""
    advice_id = uuid4()
    values: dict[str, Any] = {
        "request_id": request_id, "generation": 0, "advice_id": advice_id, "kind": 1, "request_kind": 1, "state": 2,
        "originator_id": "90010001", "provider_id": "sandbox", "lane": 3, "attempts": 1, "created_at": at,
        "finished_at": at, "next_attempt_at": at,
    }  # fmt: skip
    await add(pool, "advice", **(values | columns))
    return advice_id


async def a_leg(pool: asyncpg.Pool, request_id: UUID, at: datetime) -> None:
    """One message."""
    await add(
        pool, "leg", request_id=request_id, generation=0, direction=1, peer="90010001", operation="provision",
        started_at=at, duration_us=1_000, outcome=1, status=201, request="{}", response="{}",
    )  # fmt: skip


def days_ago(days: float, now: datetime) -> datetime:
    """So many days before."""
    return now - timedelta(days=days)
