"""What the database writes for a provision, by its own counters: log, page images in it, updates in place, indexes."""

from typing import Final

from msgspec import Struct

from bench.database import Database

PAGE_BYTES: Final = 8_192
TABLES: Final = ("transaction", "advice", "voucher")

# Counted by the whole server: only one of its databases is under load at a time.
_LOG: Final = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint"
_IMAGES: Final = "SELECT wal_fpi FROM pg_stat_wal"
_HOT: Final = (
    "SELECT coalesce(round(10000.0 * sum(n_tup_hot_upd) / nullif(sum(n_tup_upd), 0)), 0)::integer"
    " FROM pg_stat_user_tables WHERE relname = 'transaction'"
)


class Log(Struct, frozen=True):
    """How much log the server has written so far, and how many images of whole pages are in it."""

    bytes: int
    images: int

    @classmethod
    def of(cls, database: Database) -> "Log":
        """Read the counters. Those of images lag by up to a second."""
        return cls(database.number(_LOG), database.number(_IMAGES))


class Writes(Struct, frozen=True):
    """What a provision makes the database write.

    Attributes:
        wal_bytes: of log, page images included; of all rounds, warm-up included.
        page_image_share: of the log, at most: an image has up to 8 KiB, less what a page has free.
        hot_share: of the updates of `transaction`, those that changed no index and stayed in their page.
        index_bytes: of the indexes of transaction, advice and voucher, for each request there is.
    """

    wal_bytes: float
    page_image_share: float
    hot_share: float
    index_bytes: float


def writes_of(database: Database, rounds: list[tuple[Log, Log, int]]) -> Writes:
    """Sum the rounds up: the log before and after each, and its provisions."""
    images = sum(after.images - before.images for before, after, _ in rounds)
    written = sum(after.bytes - before.bytes for before, after, _ in rounds)
    indexes = " + ".join(f"pg_indexes_size('{table}')" for table in TABLES)
    return Writes(
        wal_bytes=written / sum(done for *_, done in rounds),
        page_image_share=min(1.0, images * PAGE_BYTES / written),
        hot_share=database.number(_HOT) / 10_000,
        index_bytes=database.number(f"SELECT ({indexes})::bigint")
        / max(1, database.number("SELECT count(*) FROM transaction")),
    )
