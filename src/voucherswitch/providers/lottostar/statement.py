"""Lottostar's recon file, as proposed -> typed records (providers.md 3.6). Pure.

`lottostar_<key_id>_<yyyy-MM-dd>.csv`: UTF-8, comma, every field in double quotes, a header row and no trailer; amounts
in cents, times with +02:00. What a trailer would prove, a side file does: it has the same name and `.sha256`, and holds
the digest of the file. A replacement carries `_R1`, `_R2` before the extension.
"""

import hashlib
import re
from datetime import date
from typing import Final

import msgspec

from voucherswitch.providers.contract.statement_files import Layout, moment_of, read_file, row_type, signed_cents
from voucherswitch.providers.contract.statements import RowType, Statement, StatementRow

HEADER: Final = '"voucherId","clientTxnId","type","serial","amountCents","at","storeRef","terminalRef"'
FIELDS: Final = 8
SIDE_SUFFIX: Final = ".sha256"

_NAME = re.compile(r"lottostar_[!-~]{1,32}_([0-9]{4})-([0-9]{2})-([0-9]{2})(?:_R[0-9]{1,2})?\.csv")
_FIELD = r'"(?:[^"]|"")*"'
_ROW = re.compile(rf"{_FIELD}(?:,{_FIELD})*")
_EACH_FIELD = re.compile(r'"((?:[^"]|"")*)"')
_DIGEST = re.compile(rb"[0-9a-f]{64}\n")
_TYPES: Final = frozenset({RowType.SALE, RowType.REVERSAL})


def read_statement(file_name: str, content: bytes, digest: bytes | None = None) -> Statement:
    """Read a file; what is wrong with it is reported in the statement, never raised.

    Args:
        digest: the content of the side file. A mismatch is a problem of the whole file: without a trailer nothing else
            shows that rows are missing. None: the side file is not there, and nothing is proved.
    """
    found = read_file(_LAYOUT, file_name, content)
    problem = None if digest is None else _digest_problem(content, digest)
    return found if problem is None else msgspec.structs.replace(found, problems=(*found.problems, problem))


def _digest_problem(content: bytes, digest: bytes) -> str | None:
    if not _DIGEST.fullmatch(digest):
        return "the side file does not hold one digest in lower-case hex"
    if digest[:-1].decode() != hashlib.sha256(content).hexdigest():
        return "the digest in the side file is not that of the file"
    return None


def _row(number: int, line: str, day: date | None) -> StatementRow:
    if not _ROW.fullmatch(line):
        raise ValueError("its fields are not all in double quotes")
    fields = [field.replace('""', '"') for field in _EACH_FIELD.findall(line)]
    if len(fields) != FIELDS:
        raise ValueError(f"it has {len(fields)} fields, not {FIELDS}")
    voucher_id, client_txn_id, kind, serial, cents, at, store, terminal = fields
    if not (voucher_id and client_txn_id and serial):
        raise ValueError("voucherId, clientTxnId or serial is empty")
    type_ = row_type(kind)
    if type_ not in _TYPES:
        raise ValueError("the type is neither SALE nor REVERSAL")
    return StatementRow(
        line=number,
        provider_ref=voucher_id,
        request_id=client_txn_id,
        type=type_,
        serial=serial,
        cents=signed_cents(cents, type_),
        at=moment_of(at, day),
        store=store,
        terminal=terminal,
    )


_LAYOUT: Final = Layout(name=_NAME, shown_name="lottostar_<key_id>_<yyyy-MM-dd>.csv", header=HEADER, row=_row)
