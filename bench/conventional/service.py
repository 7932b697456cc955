"""One provision from request to answer: remember, ask the provider, remember, reply."""

from dataclasses import dataclass
from datetime import datetime
from time import perf_counter

from sqlalchemy import bindparam, func, insert, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from bench.conventional.masking import masked_json
from bench.conventional.messages import (
    Amounts,
    DetailMessage,
    ErrorDetail,
    Institution,
    LedgerAmount,
    ProvisionRequest,
    ProvisionResponse,
    SlipData,
    SlipLine,
    ThirdPartyIdentifier,
    Voucher,
)
from bench.conventional.provider import Exchange, Sale, SandboxProvider, Sold
from bench.conventional.security import Vault
from bench.conventional.settings import Settings
from bench.conventional.tables import LegRow, State, TransactionRow

PROVISION = 1
INBOUND, OUTBOUND = 1, 2
ANSWERED, NOT_SENT, NO_ANSWER = 1, 2, 3
PROVIDER_ID = "sandbox"

# Built once: building it in every request costs a third of its execution. Guarded, as in the journal: whoever closed
# the record first has won.
CLOSE = (
    update(TransactionRow)
    .where(
        TransactionRow.request_id == bindparam("closing_id"),
        TransactionRow.generation == 0,
        TransactionRow.state == State.PENDING,
    )
    .values(
        state=bindparam("new_state"),
        answered_status=bindparam("new_status"),
        approved_cents=bindparam("new_cents"),
        fingerprint=bindparam("new_fingerprint"),
        voucher_serial=bindparam("new_serial"),
        provider_ref=bindparam("new_provider_ref"),
        answer=bindparam("new_answer"),
        error=bindparam("new_error"),
        changed_at=func.clock_timestamp(),
    )
    .returning(TransactionRow.request_id)
    .execution_options(synchronize_session=False)
)


class Refused(Exception):  # noqa: N818 - an answer to the originator, not a fault
    """Ends a provision with an ErrorDetail."""

    def __init__(self, status: int, detail: ErrorDetail) -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Received:
    """When the request came in: the inbound leg counts from there."""

    at: datetime
    clock: float


async def provision(
    message: ProvisionRequest,
    *,
    user: str,
    received: Received,
    session: AsyncSession,
    provider: SandboxProvider,
    vault: Vault,
    settings: Settings,
) -> ProvisionResponse:
    """Issue the voucher asked for; raise `Refused` for every other end."""
    if user != message.client.id:
        raise Refused(
            400,
            ErrorDetail(id=message.id, error_type="AUTHENTICATION_ERROR", error_message="Incorrect username"),
        )
    if message.amounts is None or message.amounts.request_amount is None:
        raise Refused(
            400, ErrorDetail(id=message.id, error_type="INVALID_AMOUNT", error_message="No amount to provision.")
        )
    wanted = message.amounts.request_amount

    # First commit: nobody is asked for money that nobody remembers.
    row = TransactionRow(
        request_id=message.request_id,
        kind=PROVISION,
        state=State.PENDING,
        originator_id=user,
        receiver_id=message.receiver.id if message.receiver else None,
        product_id=message.product.product_id if message.product else None,
        provider_id=PROVIDER_ID,
        provider_product=settings.provider_product,
        amount_cents=wanted.amount,
        currency=wanted.currency,
        request=vault.seal(_json(message).encode(), message.request_id.bytes),
    )
    session.add(row)
    try:
        await session.commit()
    except IntegrityError:
        raise Refused(
            400,
            ErrorDetail(
                id=message.id,
                error_type="DUPLICATE_RECORD",
                error_message="Duplicate UUID.",
                detail_message=DetailMessage(
                    free_string="Id already used by an earlier provision.", voucher_id=message.id
                ),
            ),
        ) from None

    exchange = await provider.issue(
        Sale(
            request_id=message.id,
            product_id=settings.provider_product,
            amount_cents=wanted.amount,
            store=settings.provider_store,
            terminal=message.originator.terminal_id,
            voucher_code=message.voucher.code if message.voucher else None,
        )
    )

    # Second commit: the outcome and both legs, before the originator hears of it.
    if exchange.sold is None:
        refused = _refusal(message, exchange)
        state = State.UNKNOWN if exchange.outcome == "unknown" else State.DECLINED
        await _close(session, message, received, exchange, state, refused.status, refused.detail, vault)
        raise refused
    answer = _answer(message, exchange.sold, row.reference, settings)
    await _close(session, message, received, exchange, State.APPROVED, 201, answer, vault)
    return answer


async def _close(
    session: AsyncSession,
    message: ProvisionRequest,
    received: Received,
    exchange: Exchange,
    state: State,
    status: int,
    answer: ProvisionResponse | ErrorDetail,
    vault: Vault,
) -> None:
    sold = exchange.sold
    closed = await session.execute(
        CLOSE,
        {
            "closing_id": message.request_id,
            "new_state": state,
            "new_status": status,
            "new_cents": sold.voucher.value_cents if sold else None,
            "new_fingerprint": vault.fingerprint(sold.voucher.code) if sold else None,
            "new_serial": sold.voucher.serial if sold else None,
            "new_provider_ref": sold.provider_ref if sold else None,
            "new_answer": vault.seal(sold.model_dump_json(by_alias=True).encode(), message.request_id.bytes)
            if sold
            else None,
            "new_error": _json(answer) if isinstance(answer, ErrorDetail) else None,
        },
    )
    if closed.scalar_one_or_none() is None:
        await session.rollback()
        raise Refused(
            504, ErrorDetail(id=message.id, error_type="UPSTREAM_UNAVAILABLE", error_message="Closed by somebody else.")
        )
    # A bulk insert: added to the session, the rows would go one by one, because leg_id comes from the server.
    await session.execute(
        insert(LegRow),
        [
            {
                "request_id": message.request_id,
                "generation": 0,
                "direction": OUTBOUND,
                "peer": PROVIDER_ID,
                "operation": "provision",
                "started_at": exchange.started_at,
                "duration_us": exchange.duration_us,
                "outcome": {"not_sent": NOT_SENT, "unknown": NO_ANSWER}.get(exchange.outcome, ANSWERED),
                "status": exchange.status,
                "request": exchange.request,
                "response": exchange.response,
                "error": exchange.error,
            },
            {
                "request_id": message.request_id,
                "generation": 0,
                "direction": INBOUND,
                "peer": message.client.id,
                "operation": "provisionVoucher",
                "started_at": received.at,
                "duration_us": int((perf_counter() - received.clock) * 1e6),
                "outcome": ANSWERED,
                "status": status,
                "request": masked_json(message.model_dump(mode="json", by_alias=True, exclude_none=True)),
                "response": masked_json(answer.model_dump(mode="json", by_alias=True, exclude_none=True)),
                "error": None,
            },
        ],
    )
    await session.commit()


def _answer(message: ProvisionRequest, sold: Sold, reference: int, settings: Settings) -> ProvisionResponse:
    settlement = message.settlement_entity or Institution(id=settings.settlement_id, name=settings.settlement_name)
    receiver = message.receiver or Institution(id=PROVIDER_ID, name="Sandbox")
    approved = LedgerAmount(amount=sold.voucher.value_cents, currency="710")
    code = sold.voucher.code
    return ProvisionResponse(
        id=message.id,
        time=message.time,
        originator=message.originator,
        client=message.client,
        settlement_entity=settlement,
        receiver=receiver,
        third_party_identifiers=[
            *message.third_party_identifiers,
            ThirdPartyIdentifier(institution_id=settlement.id, transaction_identifier=f"VSW-{reference:012d}"),
            ThirdPartyIdentifier(institution_id=receiver.id, transaction_identifier=sold.provider_ref),
        ],
        slip_data=message.slip_data
        or SlipData(
            message_lines=[
                SlipLine(text=f"{receiver.name} R{approved.amount // 100}.{approved.amount % 100:02d}"),
                SlipLine(text=" ".join(code[at : at + 4] for at in range(0, len(code), 4)), font_width_scale_factor=2),
                SlipLine(text=f"Serial {sold.voucher.serial}"),
                *(SlipLine(text=line) for line in sold.voucher.instructions),
                SlipLine(text=f"Valid until {sold.voucher.expires_at:%Y-%m-%d}"),
            ],
            issuer_reference=f"VSW{reference:012d}",
        ),
        basket_ref=message.basket_ref,
        tran_type=message.tran_type,
        src_acc_type=message.src_acc_type,
        dest_acc_type=message.dest_acc_type,
        stan=message.stan,
        rrn=message.rrn,
        transaction_labels=message.transaction_labels,
        amounts=Amounts(
            request_amount=message.amounts.request_amount if message.amounts else None,
            approved_amount=approved,
        ),
        voucher=Voucher(
            code=code,
            expiry_date=sold.voucher.expires_at,
            redeem_instructions=sold.voucher.instructions,
            serial_number=sold.voucher.serial,
        ),
        product=message.product,
        pos_info=message.pos_info,
        recipient=message.recipient,
    )


def _refusal(message: ProvisionRequest, exchange: Exchange) -> Refused:
    if exchange.outcome == "declined" and exchange.refusal is not None:
        refusal = exchange.refusal
        return Refused(
            400,
            ErrorDetail(
                id=message.id,
                error_type=refusal.code,
                error_message="Declined by provider.",
                provider_error_code=refusal.provider_code,
                provider_error_message=refusal.message,
            ),
        )
    status, text = (
        (503, "Provider not reached.") if exchange.outcome == "not_sent" else (504, "No answer from provider.")
    )
    return Refused(status, ErrorDetail(id=message.id, error_type="UPSTREAM_UNAVAILABLE", error_message=text))


def _json(message: ProvisionRequest | ErrorDetail) -> str:
    return message.model_dump_json(by_alias=True, exclude_none=True)
