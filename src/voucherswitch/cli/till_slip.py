"""What a till prints: slips for customers, tables for the person at the till. Reads answers, decides nothing."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from voucherswitch.cli.amounts import rand
from voucherswitch.cli.output import print_styled, print_table
from voucherswitch.cli.till_messages import SHOP, TERMINAL

if TYPE_CHECKING:
    from rich.text import Text

Message = dict[str, Any]
_SLIP_COLUMNS = 42


def print_provision(message: Message) -> None:
    """The customer's slip of a voucher that was sold."""
    slip = message.get("slipData") or {}
    lines = [(line["text"], (line.get("fontWidthScaleFactor") or 1) > 1) for line in slip.get("messageLines") or ()]
    if not lines:
        lines = [(message["voucher"]["code"], True)]
    paid = cents(message, "approvedAmount")
    facts = [("Paid in cash", rand(paid)), ("Reference", _switch_ref(message)), ("Provision", message["id"])]
    _print_slip("VOUCHER", message, lines, facts)


def print_movement(title: str, message: Message) -> None:
    """The slip of a redemption or refund."""
    approved, balance = cents(message, "approvedAmount"), cents(message, "balanceAmount")
    facts = [
        ("Amount", rand(approved)),
        *([("Left on the voucher", rand(balance))] if balance is not None else ()),
        ("Reference", _switch_ref(message)),
        (title.capitalize(), message["id"]),
    ]
    _print_slip(title.upper(), message, [((message.get("voucher") or {}).get("code", ""), True)], facts)


def print_lookup(message: Message) -> None:
    """What is known about a voucher."""
    voucher, product = message.get("voucher") or {}, message.get("product") or {}
    rows = (
        ("Code", voucher.get("code")),
        ("Serial number", voucher.get("serialNumber")),
        ("Value", rand(cents(message, "approvedAmount"))),
        ("Valid until", str(voucher.get("expiryDate") or "-")[:10]),
        ("Product", " ".join(str(product[key]) for key in ("productId", "name") if product.get(key)) or None),
        ("Voucher provider", _party(message.get("receiver"))),
        ("Settled through", _party(message.get("settlementEntity"))),
    )
    print_table(("", ""), rows, empty="")


def print_products(message: Message) -> None:
    """The products that may be sold."""
    rows = [
        (
            product["productId"],
            product.get("name"),
            _value(product),
            (product.get("receiver") or {}).get("name"),
            ", ".join(listing["channelName"] for listing in product.get("channelProductListings") or ()),
        )
        for product in message.get("products") or ()
    ]
    print_table(("Product", "Name", ">Value", "Voucher provider", "Channels"), rows, empty="No products.")


def cents(message: Message, role: str) -> int | None:
    """One of a message's amounts."""
    amount = ((message.get("amounts") or {}).get(role) or {}).get("amount")
    return amount if isinstance(amount, int) else None


def _value(product: Message) -> str:
    if product.get("amount"):
        return rand(product["amount"]["amount"])
    low, high = ((product.get(name) or {}).get("amount") for name in ("minAmount", "maxAmount"))
    return f"{rand(low)} to {rand(high)}"


def _party(institution: Message | None) -> str | None:
    return f"{institution['id']} {institution.get('name', '')}".strip() if institution else None


def _switch_ref(message: Message) -> str:
    """The switch's own reference: the entry of the settlement entity (interface.md §2.8)."""
    settlement = (message.get("settlementEntity") or {}).get("id")
    entries = message.get("thirdPartyIdentifiers") or ()
    found = [entry["transactionIdentifier"] for entry in entries if entry["institutionId"] == settlement]
    return found[-1] if found else "-"


def _print_slip(title: str, message: Message, lines: list[tuple[str, bool]], facts: list[tuple[str, str]]) -> None:
    from rich import box
    from rich.console import Group
    from rich.panel import Panel
    from rich.rule import Rule
    from rich.text import Text

    body: list[Text | Rule] = [Text(SHOP.upper(), "bold", justify="center")]
    body.append(Text(f"{TERMINAL}  {_local(message.get('time'))}", "dim", justify="center"))
    body.append(Rule(style="dim"))
    body.extend(_line(text, wide=wide) for text, wide in lines if text)
    body.append(Rule(style="dim"))
    for name, value in facts:
        if len(name) + len(value) + 1 <= _SLIP_COLUMNS:
            body.append(Text(f"{name}{value.rjust(_SLIP_COLUMNS - len(name))}"))
        else:
            body.extend((Text(name), Text(value, justify="right")))
    panel = Panel(Group(*body), title=title, box=box.ROUNDED, width=_SLIP_COLUMNS + 6, padding=(1, 2))
    print_styled(panel)


def _line(text: str, *, wide: bool) -> "Text":
    from rich.text import Text

    return Text(text, "bold" if wide else "", justify="center")


def _local(text: str | None) -> str:
    try:
        return datetime.fromisoformat(text or "").astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:
        return text or ""
