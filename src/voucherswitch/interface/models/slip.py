"""What the till prints for the customer."""

from typing import Annotated

from msgspec import Meta

from voucherswitch.interface.models.base import LINES_MAX, Double, Int32, Message, Text, matching
from voucherswitch.message.marks import MASKED


class Barcode(Message):
    """A barcode to print. Known encoding: ITF."""

    data: Annotated[Text, MASKED]
    encoding: Text


class SlipLine(Message):
    """One line of a slip. Absent scale factors mean 1, absent `line` and `cut` mean false."""

    text: Annotated[Text, MASKED]
    barcode: Annotated[Barcode, MASKED] | None = None
    font_width_scale_factor: Double | None = None
    font_height_scale_factor: Double | None = None
    line: bool | None = None
    cut: bool | None = None


class SlipData(Message):
    """Text for the customer's slip. Its lines may show the voucher code."""

    message_lines: Annotated[tuple[SlipLine, ...], Meta(max_length=LINES_MAX), MASKED] | None = None
    slip_width: Int32 | None = None
    issuer_reference: Annotated[str, matching("[A-Z0-9]{1,40}")] | None = None
