"""What is sealed, where it lies, and what binds it to its place.

Every sealed column of the database has its line in `SEALED`: a rotation of the vault's keys seals anew what is listed
here, and nothing else. The associated data of a value names table, column and row, so that it opens nowhere else.
"""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

REQUEST, ANSWER = b"transaction.request", b"transaction.answer"

# How a part of a key is written, by its type. Texts have no zero bytes in PostgreSQL, and numbers have fixed lengths:
# no two keys of a table are written the same.
_WRITTEN: Final = {
    "uuid": lambda value: value.bytes,
    "smallint": lambda value: value.to_bytes(2, "big"),
    "bigint": lambda value: value.to_bytes(8, "big"),
    "text": lambda value: value.encode(),
}


class SealedTable(Struct, frozen=True):
    """A table with sealed columns.

    Attributes:
        key: its primary key, the SQL type of each column; types as in `_WRITTEN`.
        columns: which are sealed; of type bytea, and empty where there is nothing.
    """

    name: str
    key: Mapping[str, str]
    columns: tuple[str, ...]

    def context(self, column: str, *key: Any) -> bytes:
        """The associated data of one value."""
        parts = (_WRITTEN[kind](part) for kind, part in zip(self.key.values(), key, strict=True))
        return b"\0".join((f"{self.name}.{column}".encode(), *parts))


TRANSACTION: Final = SealedTable("transaction", {"request_id": "uuid", "generation": "smallint"}, ("request", "answer"))
PROVIDER: Final = SealedTable("provider", {"provider_id": "text"}, ("secrets",))
OPERATOR: Final = SealedTable("operator_user", {"user_id": "text"}, ("factor", "factor_pending"))
TOKEN_KEY: Final = SealedTable("token_key", {"kid": "text"}, ("sealed",))
SEALED: Final = (TRANSACTION, PROVIDER, OPERATOR, TOKEN_KEY)

# Not among them: every row stays under its own key, which it tells from a wrong one.
VAULT_KEY: Final = SealedTable("vault_key", {"key_id": "smallint"}, ("known",))


def transaction_context(request_id: UUID, generation: int, column: bytes) -> bytes:
    """The same as `TRANSACTION.context`, four times as fast: every sale seals two of them."""
    return b"\0".join((column, request_id.bytes, generation.to_bytes(2, "big")))
