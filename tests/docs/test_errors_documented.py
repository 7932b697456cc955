"""docs/reference/errors.md holds every "no" that the code can say, and none that it cannot.

The code is read, not run: a refusal is written as `Refusal(…)` or with one of its helpers, with its rule, status, type
and text in sight.
"""

import ast
import itertools
from collections.abc import Iterator
from typing import Final, NamedTuple

from docs.doc_pages import ROOT, page, rows
from voucherswitch.config import limits
from voucherswitch.interface.violations import BAD_FORMATTING
from voucherswitch.message.codes import ErrorType
from voucherswitch.providers.contract.families import Family
from voucherswitch.providers.sandbox.errors import TABLE

PAGE: Final = page("docs/reference/errors.md")
MAKERS: Final = {
    "Refusal": ("rule", "status", "error_type", "message"),
    "_refusal": ("rule", "status", "error_type", "message"),
    "refuse": ("status", "error_type", "message"),
    "plain": ("status", "error_type", "message"),
}
# What the code takes from an originator's settings, or from what a provider said.
CHOICES: Final = {"provision_decline_status": ("400", "404"), "lookup_pending_status": ("102", "504")}
ANY: Final = "any"


class No(NamedTuple):
    """One answer that says no."""

    rule: str
    status: str
    error_type: str
    message: str


def in_code() -> set[No]:
    found = {No("", "400", "FORMAT_ERROR", BAD_FORMATTING)}
    for folder in ("switch", "interface"):
        for file in sorted((ROOT / "src/voucherswitch" / folder).glob("*.py")):
            tree = ast.parse(file.read_text(encoding="utf-8"))
            for node in ast.walk(tree):
                if isinstance(node, ast.Call) and (maker := _name(node.func)) in MAKERS:
                    found |= set(_read(node, maker))
    return found


def _read(call: ast.Call, maker: str) -> Iterator[No]:
    names = MAKERS[maker]
    given = dict(zip(names, call.args, strict=False)) | {str(word.arg): word.value for word in call.keywords}
    if isinstance(given["message"], ast.Name):
        return  # the helper itself, which passes on what it is given
    rule = "step 7" if maker == "refuse" else ""
    parts = [_values(given[name]) if name in given else (rule,) for name in ("rule", *names[-3:])]
    yield from (No(*values) for values in itertools.product(*parts))


def _values(node: ast.expr) -> tuple[str, ...]:
    """What an expression can be, as text."""
    match node:
        case ast.Constant():
            return (str(node.value),)
        case ast.IfExp():
            return (*_values(node.body), *_values(node.orelse))
        case ast.JoinedStr():
            return ("".join(_part(part) for part in node.values),)
        case ast.Attribute() if node.attr in CHOICES:
            return CHOICES[node.attr]
        case ast.Attribute() if _name(node.value) in ("ErrorType", "_E"):
            return (node.attr,)
        case ast.Name(id="status"):
            return CHOICES["provision_decline_status"]
        case _:
            return (ANY,)


def _part(part: ast.expr) -> str:
    """A piece of a text; the page writes `…` for what only the request decides."""
    if isinstance(part, ast.Constant):
        return str(part.value)
    assert isinstance(part, ast.FormattedValue)
    return str(getattr(limits, _name(part.value), "…"))


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def in_page() -> set[No]:
    found = set()
    for row in rows(PAGE.text):
        if len(row) != 6:
            continue
        statuses = row[0].split(" or ")
        types = [ANY] if row[1].startswith("any") else row[1].split(", ")
        found |= {No(row[3], status, kind, row[2]) for status in statuses for kind in types}
    return found


def _documented(no: No) -> bool:
    """An answer whose status, type or text depends on the provider is documented by any row of its rule."""
    return any(
        said.rule == no.rule
        and said.status == no.status
        and said.message == no.message
        and (ANY in (no.error_type, said.error_type) or no.error_type == said.error_type)
        for said in in_page()
    )


def test_every_refusal_of_the_code_is_on_the_page() -> None:
    # Statuses and texts of one rule that belong together are multiplied out; a pair that cannot be is no refusal.
    impossible = {
        ("X10", "503", "Not possible at the provider."),
        ("X10", "400", "Provider not reached."),
        ("M5", "UPSTREAM_UNAVAILABLE", "Provider does not know yet."),
        ("M5", "VOUCHER_STATUS_UNKNOWN", "No answer from provider in time."),
    }
    missing = [
        no
        for no in sorted(in_code())
        if (no.rule, no.status, no.message) not in impossible
        and (no.rule, no.error_type, no.message) not in impossible
        and not _documented(no)
    ]
    assert missing == []


def test_every_row_of_the_page_is_in_the_code() -> None:
    known = {(no.rule, no.status, no.message) for no in in_code()}
    invented = [said for said in sorted(in_page()) if (said.rule, said.status, said.message) not in known]
    assert invented == []


def test_every_error_type_is_explained_and_says_where_it_comes_from() -> None:
    table = {row[0]: row[1] for row in rows(PAGE.section("Every errorType"))}
    assert sorted(table) == sorted(table.keys() | {kind.value for kind in ErrorType})
    assert set(table) == {kind.value for kind in ErrorType}
    ours: dict[str, set[str]] = {}
    for no in in_code():
        ours.setdefault(no.error_type, set()).add(no.status)
    for kind, where in table.items():
        statuses = {word for word in where.split(", ") if word.isdigit()}
        assert statuses - {"503"} <= ours.get(kind, set()), f"{kind} is not sent with {where}"
        assert ours.get(kind, set()) - {"102"} <= statuses, f"{kind} is sent with {sorted(ours[kind])} too"


def test_a_type_that_only_providers_send_is_marked_so() -> None:
    table = {row[0]: row[1] for row in rows(PAGE.section("Every errorType"))}
    ours = {no.error_type for no in in_code()}
    declined = {line.request.error_type.value for line in TABLE.values() if line.request.family is Family.DECLINED}
    assert {kind for kind in declined - ours if "provider" not in table[kind]} == set()
