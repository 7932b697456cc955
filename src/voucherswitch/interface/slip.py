"""The customer's slip, for providers that send none: what was bought, its code, how to use it. Pure."""

from voucherswitch.interface.models import SlipData, SlipLine
from voucherswitch.message.answers import Answer

_GROUP = 4  # digits are read out in groups of four


def slip(answer: Answer) -> SlipData:
    """Write the slip of an issued voucher."""
    voucher = answer.voucher
    lines = [SlipLine(text=f"{answer.product_name or answer.receiver.name} {rand(answer.approved_cents)}")]
    if voucher is not None:
        lines.append(SlipLine(text=grouped(voucher.code), font_width_scale_factor=2))
        if voucher.pin is not None:
            lines.append(SlipLine(text=f"PIN {voucher.pin}"))
        if voucher.serial_number is not None:
            lines.append(SlipLine(text=f"Serial {voucher.serial_number}"))
        lines.extend(SlipLine(text=line) for line in voucher.instructions)
        if voucher.expires_at is not None:
            lines.append(SlipLine(text=f"Valid until {voucher.expires_at[:10]}"))
    return SlipData(message_lines=tuple(lines), issuer_reference=answer.switch_ref.replace("-", ""))


def rand(cents: int) -> str:
    """Write cents as a customer reads them: R150.00."""
    return f"R{cents // 100}.{cents % 100:02d}"


def grouped(code: str) -> str:
    """Write a code of digits in groups of four; any other code as it is."""
    if not code.isdigit():
        return code
    return " ".join(code[start : start + _GROUP] for start in range(0, len(code), _GROUP))
