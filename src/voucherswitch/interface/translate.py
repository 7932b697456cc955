"""Interface messages <-> the switch's own words. Pure: no I/O, no clock, no log."""

from msgspec import UNSET

from voucherswitch.catalogue import snapshot
from voucherswitch.interface.errors import wire_institution
from voucherswitch.interface.ids import id_of
from voucherswitch.interface.models import (
    Amounts,
    BasicAdvice,
    BasicReversal,
    ChannelProductListing,
    Institution,
    IssuedVoucher,
    LedgerAmount,
    LedgerIndicator,
    PinClear,
    Product,
    ProvisionRequest,
    ProvisionResponse,
    RedemptionRequest,
    RedemptionResponse,
    RefundRequest,
    RefundResponse,
    ThirdPartyIdentifier,
    Transaction,
    Voucher,
    VoucherLookupResponse,
)
from voucherswitch.interface.slip import slip, with_change
from voucherswitch.message import parties
from voucherswitch.message.answers import Answer
from voucherswitch.message.codes import ZAR, ReversalReason
from voucherswitch.message.msisdn import msisdn
from voucherswitch.message.states import AdviceKind, Kind
from voucherswitch.security.masking import without_pins
from voucherswitch.switch.advise import Advice
from voucherswitch.switch.lookup import FoundVoucher
from voucherswitch.switch.requests import Provision, Redemption, Refund


def to_provision(request: ProvisionRequest) -> Provision:
    """The provision asked for."""
    asked = request.amounts.request_amount if request.amounts is not None else None
    return Provision(
        request_id=id_of(request.id),
        receiver=_party(request.receiver),
        settlement=_party(request.settlement_entity),
        amount_cents=None if asked is None else asked.amount,
        currency=None if asked is None else asked.currency,
        store=_store(request),
        body=without_pins(request),
        product_id=None if request.product is None else request.product.product_id,
        # A voucher without a code names nothing: an empty one is no wish either.
        voucher_code=(request.voucher.code or None) if request.voucher is not None else None,
        tenders=tuple(
            parties.Tender(
                type=tender.tender_type,
                amount_cents=tender.amount.amount,
                currency=tender.amount.currency,
                reference=tender.reference,
            )
            for tender in request.tenders or ()
        ),
        msisdn=None if request.recipient is None else msisdn(request.recipient.msisdn),
    )


def to_redemption(request: RedemptionRequest) -> Redemption:
    """The redemption asked for. Only a clear PIN can be passed on: a block is for a system that has its key."""
    asked = request.amounts.request_amount if request.amounts is not None else None
    pin = request.voucher.pin
    return Redemption(
        request_id=id_of(request.id),
        receiver=_party(request.receiver),
        settlement=_party(request.settlement_entity),
        amount_cents=None if asked is None else asked.amount,
        currency=None if asked is None else asked.currency,
        store=_store(request),
        body=without_pins(request),
        voucher_code=request.voucher.code,
        voucher_pin=pin.pin if isinstance(pin, PinClear) else None,
        msisdn=None if request.customer is None else msisdn(request.customer.msisdn),
    )


def to_refund(request: RefundRequest) -> Refund:
    """The refund asked for."""
    asked = request.amounts.request_amount if request.amounts is not None else None
    return Refund(
        request_id=id_of(request.id),
        receiver=_party(request.receiver),
        settlement=_party(request.settlement_entity),
        amount_cents=None if asked is None else asked.amount,
        currency=None if asked is None else asked.currency,
        store=_store(request),
        body=without_pins(request),
        voucher_code=request.voucher.code,
        redemption_id=request.redemption_id,
        receiver_ref=request.receiver_transaction_ref,
    )


def to_advice(advice: BasicAdvice, kind: AdviceKind, request_kind: Kind) -> Advice:
    """The advice given."""
    final = advice.amounts.approved_amount if advice.amounts is not None else None
    return Advice(
        advice_id=id_of(advice.id),
        request_id=id_of(advice.request_id),
        kind=kind,
        request_kind=request_kind,
        reason=ReversalReason(advice.reversal_reason) if isinstance(advice, BasicReversal) else None,
        amount_cents=None if final is None else final.amount,
        currency=None if final is None else final.currency,
    )


def provision_response(request: ProvisionRequest, answer: Answer) -> ProvisionResponse:
    """V1: everything of the request again, and the voucher."""
    issued = answer.voucher
    if issued is None:
        raise ValueError("an approved provision has a voucher")
    named = request.voucher
    voucher = IssuedVoucher(
        code=issued.code,
        # V2: a voucher that the originator named comes back as it named it.
        expiry_date=(named.expiry_date if named is not None else None) or issued.expires_at,
        redeem_instructions=(named.redeem_instructions if named is not None else None) or issued.instructions or None,
        serial_number=(named.serial_number if named is not None else None) or issued.serial_number,
        pin=None if issued.pin is None else PinClear(pin=issued.pin),
    )
    return ProvisionResponse(
        id=request.id,
        time=request.time,
        originator=request.originator,
        client=request.client,
        settlement_entity=_institution(answer.settlement),
        receiver=_institution(answer.receiver),
        third_party_identifiers=_identifiers(request, answer),
        slip_data=request.slip_data or slip(answer),
        basket_ref=request.basket_ref,
        tran_type=request.tran_type,
        src_acc_type=request.src_acc_type,
        dest_acc_type=request.dest_acc_type,
        stan=request.stan,
        rrn=request.rrn,
        transaction_labels=request.transaction_labels,
        amounts=_amounts(request.amounts, answer),
        voucher=voucher,
        product=request.product,
        pos_info=request.pos_info,
        recipient=request.recipient,
    )


def redemption_response(request: RedemptionRequest, answer: Answer) -> RedemptionResponse:
    """R4: everything of the request again but the PIN, and what was redeemed."""
    return RedemptionResponse(
        id=request.id,
        time=request.time,
        originator=request.originator,
        client=request.client,
        settlement_entity=_institution(answer.settlement),
        receiver=_institution(answer.receiver),
        third_party_identifiers=_identifiers(request, answer),
        slip_data=with_change(request.slip_data, answer),
        basket_ref=request.basket_ref,
        tran_type=request.tran_type,
        src_acc_type=request.src_acc_type,
        dest_acc_type=request.dest_acc_type,
        stan=request.stan,
        rrn=request.rrn,
        transaction_labels=request.transaction_labels,
        voucher=_echoed(request.voucher),
        amounts=_amounts(request.amounts, answer),
        pos_info=request.pos_info,
        customer=request.customer,
    )


def refund_response(request: RefundRequest, answer: Answer) -> RefundResponse:
    """F5: everything of the request again, and what was refunded."""
    return RefundResponse(
        id=request.id,
        time=request.time,
        originator=request.originator,
        client=request.client,
        settlement_entity=_institution(answer.settlement),
        receiver=_institution(answer.receiver),
        third_party_identifiers=_identifiers(request, answer),
        slip_data=with_change(request.slip_data, answer),
        basket_ref=request.basket_ref,
        tran_type=request.tran_type,
        src_acc_type=request.src_acc_type,
        dest_acc_type=request.dest_acc_type,
        stan=request.stan,
        rrn=request.rrn,
        transaction_labels=request.transaction_labels,
        amounts=_amounts(request.amounts, answer),
        voucher=_echoed(request.voucher),
        pos_info=request.pos_info,
    )


def voucher_lookup_response(found: FoundVoucher) -> VoucherLookupResponse:
    """L1: the value as a CREDIT, and the code only if the originator sent it."""
    known = found.voucher
    return VoucherLookupResponse(
        voucher=Voucher(
            code=found.code,
            expiry_date=known.expires_at if known is not None else None,
            serial_number=known.serial_number if known is not None else None,
        ),
        settlement_entity=_institution(found.settlement),
        receiver=_institution(found.receiver),
        amounts=None
        if found.value_cents is None
        else Amounts(
            approved_amount=LedgerAmount(
                amount=found.value_cents, currency=found.currency, ledger_indicator=LedgerIndicator.CREDIT
            )
        ),
        product=None if found.product_id is None else Product(product_id=found.product_id, name=found.product_name),
        third_party_identifiers=None
        if found.provider_ref is None
        else (ThirdPartyIdentifier(institution_id=found.receiver.id, transaction_identifier=found.provider_ref),),
    )


def wire_product(product: snapshot.Product, catalogue: snapshot.Catalogue) -> Product:
    """A product of the catalogue as lookupProducts lists it."""
    brand = catalogue.voucher_providers.get(product.receiver_id)
    return Product(
        product_id=product.id,
        barcode=product.barcode,
        name=product.name,
        amount=_cents(product.amount_cents),
        description=product.description,
        min_amount=_cents(product.min_cents),
        max_amount=_cents(product.max_cents),
        is_fixed_value=product.amount_cents is not None,
        receiver=wire_institution(brand.receiver if brand is not None else None),
        channel_product_listings=tuple(
            ChannelProductListing(
                channel_name=listing.channel_name,
                product_display_name=listing.display_name,
                product_display_category=listing.display_category,
                product_display_sort_order=listing.sort_order,
                channel_product_identifier=listing.channel_product_id,
            )
            for listing in product.channels
        )
        or None,
    )


def _cents(amount: int | None) -> LedgerAmount | None:
    return None if amount is None else LedgerAmount(amount=amount, currency=ZAR)


def _party(institution: Institution | None) -> parties.Institution | None:
    return None if institution is None else parties.Institution(id=institution.id, name=institution.name)


def _institution(institution: parties.Institution) -> Institution:
    return Institution(id=institution.id, name=institution.name)


def _store(request: Transaction) -> parties.Store:
    origin = request.originator
    return parties.Store(
        merchant_id=origin.merchant.merchant_id, terminal_id=origin.terminal_id, operator_id=origin.operator_id
    )


def _identifiers(request: Transaction, answer: Answer) -> tuple[ThirdPartyIdentifier, ...]:
    """§2.8: the request's entries in their order, then one of the settlement entity, then one of the receiver."""
    given = request.third_party_identifiers
    return (
        *(() if given is UNSET else given),
        ThirdPartyIdentifier(institution_id=answer.settlement.id, transaction_identifier=answer.switch_ref),
        ThirdPartyIdentifier(institution_id=answer.receiver.id, transaction_identifier=answer.provider_ref),
    )


def _amounts(asked: Amounts | None, answer: Answer) -> Amounts:
    approved = LedgerAmount(amount=answer.approved_cents, currency=answer.currency)
    balance = (
        None if answer.balance_cents is None else LedgerAmount(amount=answer.balance_cents, currency=answer.currency)
    )
    if asked is None:
        return Amounts(approved_amount=approved, balance_amount=balance)
    return Amounts(
        request_amount=asked.request_amount,
        approved_amount=approved,
        fee_amount=asked.fee_amount,
        balance_amount=balance or asked.balance_amount,
        additional_amounts=asked.additional_amounts,
    )


def _echoed(voucher: Voucher) -> Voucher:
    """The voucher of a request without its PIN."""
    return Voucher(
        code=voucher.code,
        expiry_date=voucher.expiry_date,
        redeem_instructions=voucher.redeem_instructions,
        serial_number=voucher.serial_number,
    )
