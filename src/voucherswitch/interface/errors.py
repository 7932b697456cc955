"""ErrorDetail: how every "no" is written (interface.md §8)."""

from voucherswitch.interface.decode import FormatErrors, encode
from voucherswitch.interface.models import DetailMessage, ErrorDetail, Institution, Voucher
from voucherswitch.interface.violations import BAD_FORMATTING
from voucherswitch.message import parties
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.refusals import Detail, RecordedRefusal, Refusal
from voucherswitch.security.masking import masked
from voucherswitch.switch.exchange import Reply

# Statuses whose answers have no body (interface.md §1): the status says it all.
BODYLESS = frozenset({"K3/102", "K4", "K5"})


def render(error: RecordedRefusal, message_id: str | None) -> Reply:
    """Write a refusal; `message_id` is the id of the message that caused it, as it was received."""
    refusal, detail = error.refusal, error.detail
    if refusal.rule in BODYLESS or refusal.status == 102:
        return Reply(status=refusal.status, body=b"", masked="")
    return _reply(refusal.status, error_detail(refusal, detail, message_id), detail.retry_after_s)


def error_detail(refusal: Refusal, detail: Detail, message_id: str | None) -> ErrorDetail:
    """The body of a refusal."""
    return ErrorDetail(
        id=message_id,
        original_id=detail.original_id,
        error_type=refusal.error_type,
        error_message=refusal.message,
        provider_error_code=detail.provider_code,
        provider_error_message=detail.provider_message,
        detail_message=_detail_message(refusal, detail),
    )


def format_error(error: FormatErrors) -> Reply:
    """400 FORMAT_ERROR with every violation (§3.2)."""
    body = ErrorDetail(
        id=error.id,
        error_type=ErrorType.FORMAT_ERROR,
        error_message=BAD_FORMATTING,
        detail_message=DetailMessage(format_errors=tuple(error.violations)),
    )
    return _reply(400, body)


def plain(
    status: int,
    error_type: ErrorType,
    message: str,
    retry_after_s: int | None = None,
    message_id: str | None = None,
) -> Reply:
    """A refusal that no rule words. Without an id for path, method, size, credentials, overload: none was read."""
    return _reply(status, ErrorDetail(id=message_id, error_type=error_type, error_message=message), retry_after_s)


def _reply(status: int, body: ErrorDetail, retry_after_s: int | None = None) -> Reply:
    return Reply(status=status, body=encode(body), masked=masked(body), retry_after_s=retry_after_s)


def _detail_message(refusal: Refusal, detail: Detail) -> DetailMessage | None:
    message = DetailMessage(
        free_string=refusal.explanation,
        voucher_id=detail.voucher_id,
        reversal_id=detail.reversal_id,
        confirmation_id=detail.confirmation_id,
        request_time=detail.request_time,
        client=wire_institution(detail.client),
        receiver=wire_institution(detail.receiver),
        voucher=None if detail.voucher is None else _voucher(detail.voucher),
    )
    return None if message == DetailMessage() else message


def wire_institution(institution: parties.Institution | None) -> Institution | None:
    """An institution as the interface writes it."""
    return None if institution is None else Institution(id=institution.id, name=institution.name)


def _voucher(voucher: parties.Voucher) -> Voucher:
    """A duplicate's voucher: everything but the PIN."""
    return Voucher(
        code=voucher.code,
        expiry_date=voucher.expires_at,
        redeem_instructions=voucher.instructions or None,
        serial_number=voucher.serial_number,
    )
