"""The provider's daily file: it agrees with the books to the cent, and no spoilt one passes for true (check 18)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from voucherswitch.message.orders import ProvisionOrder
from voucherswitch.providers.contract.provider_time import SAST
from voucherswitch.providers.contract.simulator.recon import FILE_FAULTS
from voucherswitch.providers.contract.statements import RowType, Statement, StatementRow
from voucherswitch.providers.kit.control import ControlError
from voucherswitch.providers.kit.scenario import Mismatch, Scenario, expect, scenario
from voucherswitch.providers.kit.stand import Stand

SALES: Final = 2


@scenario("statement", 18)
async def statement(stand: Stand) -> str:
    """Every row of the file is what the books hold, to the cent, with the references that we sent and no code."""
    days = [await _today(stand)]
    sales = [await _sale(stand) for _ in range(SALES)]
    expected = {RowType.SALE: SALES * stand.amount_cents}
    if stand.record.redeem.sends:
        sale, voucher = await stand.usable(order := stand.order())
        sales.append(order)
        redeem, redemption = await stand.redeemed(voucher, sale)
        await stand.confirm_if_sent("confirmRedeem", stand.advice(redeem, redemption))
        expected[RowType.SALE] += stand.amount_cents
        expected[RowType.REDEEM] = stand.redeem_cents
    days.append(await _today(stand))
    rows: list[StatementRow] = []
    for day in dict.fromkeys(days):  # two of them, when midnight passed on the way
        found, content = await _file(stand, day)
        expect(found.is_whole, f"the file of {day} to be whole", _faults(found))
        held = [secret for secret in stand.secrets if len(secret) > 5 and secret.encode() in content]
        expect(not held, "no code in the file", f"{len(held)}")
        rows += found.rows
    expect(_by_type(rows) == expected, _sums(expected), _sums(_by_type(rows)))
    named = {row.request_id for row in rows if row.type is RowType.SALE}
    missing = [one for one in sales if not any(name.endswith(one.request_id) for name in named)]
    expect(not missing, "each sale under the reference that we sent", f"{len(missing)} of {len(sales)} are not there")
    await _expect_books(stand, expected)
    return f"{len(rows)} rows, {_sums(expected)}"


async def _expect_books(stand: Stand, expected: dict[RowType, int]) -> None:
    """What was told by the file is what the simulator itself counts, where it counts by type."""
    counted = (await stand.sim.totals()).get("centsByType")
    if counted is not None:
        books = {RowType(kind): cents for kind, cents in counted.items() if cents}
        expect(books == expected, f"the books to hold {_sums(expected)}", _sums(books))


def _file_fault(fault: str) -> Scenario:
    title = f"A file with the fault {fault} does not pass for a true one."

    @scenario(f"statement-{fault}", 18, title=title)
    async def check(stand: Stand) -> str:
        for _ in range(SALES):
            await _sale(stand)
        day = await _today(stand)
        true, content = await _file(stand, day)
        if not true.rows:
            raise Mismatch("expected rows to spoil; seen: none")
        try:
            spoilt, spoilt_content = await _file(stand, day, fault)
        except ControlError as error:
            expect(fault == "late" and error.status == 404, "a file", f"none: {error}")
            return "there is no file yet"
        expect(fault != "late", "no file", "one")
        if fault == "bad_trailer" and spoilt_content == content:
            return "the file has no trailer that could be wrong"
        return _seen(fault, true, spoilt)

    return check


def _seen(fault: str, true: Statement, spoilt: Statement) -> str:
    match fault:
        case "missing_row" | "extra_row" | "wrong_amount":
            # Whole in itself; only the comparison with our own records shows it, and that it must.
            if _content(true) == _content(spoilt) and spoilt.is_whole:
                raise Mismatch("expected other rows than in the books; seen: the same")
            return f"{len(spoilt.rows)} rows, {spoilt.total_cents} cents, against {len(true.rows)}, {true.total_cents}"
        case "empty_day":
            expect(spoilt.rows == () and spoilt.is_whole, "no row and nothing wrong", _faults(spoilt))
            return "no rows"
        case _:
            expect(not spoilt.is_whole, "a bad line or a problem", "a whole file")
            return _faults(spoilt)


def _content(found: Statement) -> list[tuple[str, str, RowType, int]]:
    return sorted((row.provider_ref, row.request_id, row.type, row.cents) for row in found.rows)


async def _sale(stand: Stand) -> ProvisionOrder:
    order = stand.order()
    await stand.usable(order)
    return order


async def _today(stand: Stand) -> str:
    """The simulator's business day."""
    now = datetime.fromisoformat((await stand.sim.advance(1_000)).replace("Z", "+00:00"))
    return now.astimezone(SAST).date().isoformat()


async def _file(stand: Stand, day: str, fault: str | None = None) -> tuple[Statement, bytes]:
    name, content = await stand.sim.recon(day, fault)
    try:
        return stand.profile.read_statement(name, content), content
    except Exception as error:
        raise Mismatch(f"expected a statement; seen: its reader raised {type(error).__name__}: {error}") from error


def _by_type(rows: Iterable[StatementRow]) -> dict[RowType, int]:
    sums: dict[RowType, int] = {}
    for row in rows:
        sums[row.type] = sums.get(row.type, 0) + row.cents
    return sums


def _sums(by_type: dict[RowType, int]) -> str:
    return ", ".join(f"{kind} {cents} cents" for kind, cents in sorted(by_type.items())) or "nothing"


def _faults(found: Statement) -> str:
    lines = [f"line {bad.line}: {bad.reason}" for bad in found.bad_lines]
    return "; ".join([*found.problems, *lines]) or "nothing wrong"


SCENARIOS: Final[tuple[Scenario, ...]] = (statement, *(_file_fault(fault) for fault in FILE_FAULTS))
