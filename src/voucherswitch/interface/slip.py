"""The customer's slip, for providers that send none: what was bought, its code, how to use it. Pure."""

from collections.abc import Iterator

import msgspec

from voucherswitch.interface.models import SlipData, SlipLine
from voucherswitch.interface.models.base import LINES_MAX
from voucherswitch.message.answers import Answer
from voucherswitch.message.parties import Voucher

_GROUP = 4  # digits are read out in groups of four


def slip(answer: Answer) -> SlipData:
    """Write the slip of an issued voucher."""
    lines = [SlipLine(text=f"{answer.product_name or answer.receiver.name} {rand(answer.approved_cents)}")]
    if answer.voucher is not None:
        lines.extend(_described(answer.voucher))
    return SlipData(message_lines=tuple(lines), issuer_reference=answer.switch_ref.replace("-", ""))


def with_change(asked: SlipData | None, answer: Answer) -> SlipData | None:
    """The slip of a redemption or refund: the originator's own, and on it the voucher that holds the customer's change.

    Some providers use a voucher up and give the rest as a new one; a slip is the only place where it reaches its owner.
    """
    if answer.voucher is None:
        return asked
    worth = "" if answer.voucher.value_cents is None else f" {rand(answer.voucher.value_cents)}"
    change = (SlipLine(text=f"{answer.receiver.name}: your new voucher{worth}"), *_described(answer.voucher))
    if asked is None:
        return SlipData(message_lines=change, issuer_reference=answer.switch_ref.replace("-", ""))
    own = (asked.message_lines or ())[: LINES_MAX - len(change)]
    return msgspec.structs.replace(asked, message_lines=(*own, *change))


def _described(voucher: Voucher) -> Iterator[SlipLine]:
    yield SlipLine(text=grouped(voucher.code), font_width_scale_factor=2)
    if voucher.pin is not None:
        yield SlipLine(text=f"PIN {voucher.pin}")
    if voucher.serial_number is not None:
        yield SlipLine(text=f"Serial {voucher.serial_number}")
    yield from (SlipLine(text=line) for line in voucher.instructions)
    if voucher.expires_at is not None:
        yield SlipLine(text=f"Valid until {voucher.expires_at[:10]}")


def rand(cents: int) -> str:
    """Write cents as a customer reads them: R150.00."""
    return f"R{cents // 100}.{cents % 100:02d}"


def grouped(code: str) -> str:
    """Write a code of digits in groups of four; any other code as it is."""
    if not code.isdigit():
        return code
    return " ".join(code[start : start + _GROUP] for start in range(0, len(code), _GROUP))
