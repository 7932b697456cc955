"""The ORM's tables: the columns and indexes of the journal's `transaction` and `leg` that a provision writes.

In a schema of their own in a database of their own. `leg` is not partitioned here, which spares this stack the routing
of every row.
"""

from datetime import datetime
from enum import IntEnum
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    DateTime,
    Identity,
    Index,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Text,
    func,
    text,
)
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.schema import CreateSchema, DropSchema

SCHEMA = "conventional"


class State(IntEnum):
    """States of a record, numbered as in the journal."""

    PENDING = 1
    APPROVED = 2
    DECLINED = 3
    UNKNOWN = 4


class Base(DeclarativeBase):
    metadata = MetaData(schema=SCHEMA)


class TransactionRow(Base):
    """One provision."""

    __tablename__ = "transaction"
    __table_args__ = (
        PrimaryKeyConstraint("request_id", "generation"),
        Index("transaction_fingerprint", "fingerprint", postgresql_where=text("fingerprint IS NOT NULL")),
        Index("transaction_serial", "voucher_serial", postgresql_where=text("voucher_serial IS NOT NULL")),
        Index("transaction_open", "opened_at", postgresql_where=text("state IN (1, 4)")),
        {"postgresql_with": {"fillfactor": 80}},
    )

    request_id: Mapped[UUID]
    generation: Mapped[int] = mapped_column(SmallInteger, default=0)
    reference: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    kind: Mapped[int] = mapped_column(SmallInteger)
    state: Mapped[int] = mapped_column(SmallInteger)
    originator_id: Mapped[str] = mapped_column(Text)
    receiver_id: Mapped[str | None] = mapped_column(Text)
    product_id: Mapped[str | None] = mapped_column(Text)
    provider_id: Mapped[str] = mapped_column(Text)
    provider_product: Mapped[str] = mapped_column(Text)
    amount_cents: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(Text)
    approved_cents: Mapped[int | None] = mapped_column(BigInteger)
    fingerprint: Mapped[bytes | None] = mapped_column(LargeBinary)
    voucher_serial: Mapped[str | None] = mapped_column(Text)
    provider_ref: Mapped[str | None] = mapped_column(Text)
    request: Mapped[bytes] = mapped_column(LargeBinary)
    answer: Mapped[bytes | None] = mapped_column(LargeBinary)
    error: Mapped[str | None] = mapped_column(Text)
    answered_status: Mapped[int | None] = mapped_column(SmallInteger)
    opened_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.clock_timestamp())
    changed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.clock_timestamp())


class LegRow(Base):
    """One masked message exchange of a provision."""

    __tablename__ = "leg"
    __table_args__ = (PrimaryKeyConstraint("request_id", "started_at", "leg_id"),)

    request_id: Mapped[UUID]
    generation: Mapped[int] = mapped_column(SmallInteger, default=0)
    leg_id: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    direction: Mapped[int] = mapped_column(SmallInteger)
    peer: Mapped[str] = mapped_column(Text)
    operation: Mapped[str] = mapped_column(Text)
    started_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    duration_us: Mapped[int]
    outcome: Mapped[int] = mapped_column(SmallInteger)
    status: Mapped[int | None] = mapped_column(SmallInteger)
    request: Mapped[str] = mapped_column(Text)
    response: Mapped[str | None] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(Text)


def make_engine(url: str, pool_size: int = 5) -> AsyncEngine:
    """Return the engine for a libpq URL, as `voucherswitch db url` prints it."""
    dialect, rest = url.split("://", 1)
    if dialect not in ("postgres", "postgresql"):
        raise ValueError(f"not a PostgreSQL URL: {dialect}://…")
    return create_async_engine(f"postgresql+asyncpg://{rest}", pool_size=pool_size, max_overflow=0)


async def create_tables(url: str) -> None:
    """Make the schema anew."""
    engine = make_engine(url)
    async with engine.begin() as connection:
        await connection.execute(DropSchema(SCHEMA, cascade=True, if_exists=True))
        await connection.execute(CreateSchema(SCHEMA))
        await connection.run_sync(Base.metadata.create_all)
    await engine.dispose()
