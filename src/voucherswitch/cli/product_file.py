"""Reads a CSV file of products and stores it whole: every line is checked before the first one is written."""

import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from voucherswitch.cli.actor import changing
from voucherswitch.cli.errors import CommandError
from voucherswitch.cli.product_rows import COLUMNS, REQUIRED, product_of, route_of

if TYPE_CHECKING:
    import asyncpg
    from rich.progress import Progress

    from voucherswitch.catalogue.snapshot import Catalogue, Product, Route

LINES_MAX: Final = 1_000_000

# One statement a batch: each statement also raises the catalogue's version, and a row that one transaction changes very
# often slows it down.
_BATCH: Final = 1_000

_REPLACED: Final = """
WITH found AS (
    SELECT convert_to(p::text, 'UTF8') AS line FROM product AS p WHERE product_id = ANY ($1::text[])
     UNION ALL
    SELECT convert_to(r::text, 'UTF8') FROM route AS r WHERE product_id = ANY ($1::text[])
)
SELECT count(*) AS rows,
       encode(sha256(coalesce(string_agg(sha256(line), ''::bytea ORDER BY line), '')), 'hex') AS sha256
  FROM found
"""
_PUT: Final = """
INSERT INTO product (product_id, receiver_id, name, barcode, description, amount_cents, min_cents, max_cents, enabled,
                     listed, channels)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[],
                     $8::bigint[], $9::boolean[], $10::boolean[], $11::jsonb[])
ON CONFLICT (product_id) DO UPDATE
   SET receiver_id = excluded.receiver_id, name = excluded.name, barcode = excluded.barcode,
       description = excluded.description, amount_cents = excluded.amount_cents, min_cents = excluded.min_cents,
       max_cents = excluded.max_cents, enabled = excluded.enabled, listed = excluded.listed,
       channels = excluded.channels
"""


@dataclass(frozen=True)
class BadLine:
    """A line that cannot be imported, and why."""

    line: int
    reason: str


@dataclass(frozen=True)
class ProductFile:
    """A file as read. `unrouted` are products that nobody can sell yet."""

    lines: int
    products: Sequence["Product"]
    routes: Sequence["Route"]
    bad: Sequence[BadLine]
    unrouted: Sequence[str]


def read_products(file: Path, catalogue: "Catalogue") -> ProductFile:
    """Check every line of a file against the catalogue.

    Raises:
        CommandError: it is no CSV file with our columns.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as text, _progress(f"Checking {file.name}") as progress:
            return _checked(_rows(file, csv.DictReader(text)), catalogue, progress)
    except UnicodeDecodeError as error:
        raise CommandError(f"{file} is not UTF-8 (byte {error.start}): save it as UTF-8") from None
    except csv.Error as error:
        raise CommandError(f"{file} is not a CSV file: {error}") from None


async def store_products(
    connection: "asyncpg.Connection",
    products: Sequence["Product"],
    routes: Sequence["Route"],
    source: Mapping[str, str],
    why: str | None = None,
) -> None:
    """Write all of them in one transaction; the audit trail names the `source` and how many they were.

    Raises:
        CommandError: the catalogue changed since they were checked.
    """
    import asyncpg

    from voucherswitch.catalogue.store import CatalogueError, put_route

    try:
        with _progress("Importing") as progress:
            task = progress.add_task("", total=len(products) + len(routes))
            async with changing(connection, "product.import", "catalogue", None, why=why) as change:
                change.before = await _replaced(connection, products)
                change.after = {**source, "products": len(products), "routes": len(routes)}
                for start in range(0, len(products), _BATCH):
                    batch = products[start : start + _BATCH]
                    await connection.execute(_PUT, *_columns(batch))
                    progress.advance(task, len(batch))
                for route in routes:
                    await put_route(connection, route)
                    progress.advance(task)
    except CatalogueError as error:
        raise CommandError(f"nothing was imported: {error}") from None
    except asyncpg.IntegrityConstraintViolationError as error:
        raise CommandError(
            f"nothing was imported: the catalogue changed meanwhile ({error.detail}); import it again"
        ) from None


async def _replaced(connection: "asyncpg.Connection", products: Sequence["Product"]) -> dict[str, object]:
    """What is there of these products and their routes: how many, and a digest that tells whether it is the same."""
    row = await connection.fetchrow(_REPLACED, [product.id for product in products])
    assert row is not None  # an aggregate
    return dict(row)


def _rows(file: Path, reader: "csv.DictReader[str]") -> Iterator[tuple[int, dict[str, str | None]]]:
    names = [name.strip() for name in reader.fieldnames or ()]
    if missing := [name for name in REQUIRED if name not in names]:
        raise CommandError(f"{file}: the header line lacks {', '.join(missing)}; columns are {', '.join(COLUMNS)}")
    if unknown := [name for name in names if name not in COLUMNS]:
        raise CommandError(f"{file}: unknown column {unknown[0]!r}; columns are {', '.join(COLUMNS)}")
    reader.fieldnames = names
    for number, row in enumerate(reader, 1):
        if number > LINES_MAX:
            raise CommandError(f"{file} has more than {LINES_MAX} lines: split it")
        yield reader.line_num, row


def _checked(
    rows: Iterator[tuple[int, dict[str, str | None]]], catalogue: "Catalogue", progress: "Progress"
) -> ProductFile:
    products: list[Product] = []
    routes: list[Route] = []
    bad: list[BadLine] = []
    seen: dict[str, int] = {}
    lines = 0
    task = progress.add_task("", total=None)
    for line, row in rows:
        lines += 1
        progress.advance(task)
        try:
            product = _one(row, line, seen, catalogue)
            route = route_of(row, product)
            if route is not None and route.provider_id not in catalogue.providers:
                raise CommandError(f"provider {route.provider_id!r} is not known")
        except CommandError as error:
            bad.append(BadLine(line, str(error)))
        else:
            products.append(product)
            if route is not None:
                routes.append(route)
    routed = {route.product_id for route in routes}
    unrouted = [
        item.id for item in products if item.id not in routed and not catalogue.routes.get((item.receiver_id, item.id))
    ]
    return ProductFile(lines, products, routes, bad, unrouted)


def _one(row: dict[str, str | None], line: int, seen: dict[str, int], catalogue: "Catalogue") -> "Product":
    if None in row:  # csv gathers the cells without a header there
        raise CommandError("it has more cells than the header line")
    product = product_of(row)
    if product.id in seen:
        raise CommandError(f"product_id {product.id!r} stands on line {seen[product.id]} already")
    seen[product.id] = line
    if product.receiver_id not in catalogue.voucher_providers:
        raise CommandError(f"receiver_id {product.receiver_id!r} is not a known voucher provider")
    return product


def _columns(products: Sequence["Product"]) -> list[list[object]]:
    import msgspec

    rows = [
        (
            item.id, item.receiver_id, item.name, item.barcode, item.description, item.amount_cents, item.min_cents,
            item.max_cents, item.enabled, item.listed, msgspec.json.encode(item.channels).decode(),
        )
        for item in products
    ]  # fmt: skip
    return [list(column) for column in zip(*rows, strict=True)]


@contextmanager
def _progress(title: str) -> Iterator["Progress"]:
    """A progress bar on standard error, where somebody looks at it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        yield progress
