"""The connector of Blu Voucher: which event serves which operation in mode aeon; mode trade is in trade_connector.py.

Each operation has a connection of its own: connect, Authentication, one event, close. What fails before the event's
first byte is NotSent, for nothing was asked yet. Events that sell or spend are sent once; only a session that the
provider does not know (code 750, not processed) is made anew, once. An operation that needs two events has one time
for both. What the messages mean is in translate.py.
"""

from collections.abc import Callable, Mapping
from typing import Final
from uuid import uuid4

from msgspec import Struct

from voucherswitch.message.codes import ErrorType
from voucherswitch.message.marks import wire_of
from voucherswitch.message.orders import (
    AdviceOrder,
    LookupOrder,
    ProviderProduct,
    ProvisionOrder,
    RedeemOrder,
    StatusOrder,
)
from voucherswitch.message.outcomes import (
    AdviceResult,
    Approved,
    Declined,
    NotSent,
    Outcome,
    OutcomeUnknown,
    Pending,
    Refused,
)
from voucherswitch.providers.bluvoucher import messages, translate
from voucherswitch.providers.bluvoucher.capabilities import capabilities
from voucherswitch.providers.bluvoucher.settings import BluVoucherSettings, bluvoucher_settings
from voucherswitch.providers.bluvoucher.trade_connector import TradeConnector
from voucherswitch.providers.contract.answers import (
    UNROUTABLE,
    failed,
    failed_advice,
    impossible_code,
    in_doubt,
    refusal_of,
    rules_of,
    secrets_of,
)
from voucherswitch.providers.contract.base import BaseConnector
from voucherswitch.providers.contract.connector import Call, Connector
from voucherswitch.providers.contract.settings import override_capabilities
from voucherswitch.providers.contract.transport.lines import LineAddress, LineSession, LineTransport
from voucherswitch.providers.contract.transport.xml import UNWRITABLE, UNWRITABLE_ADVICE, Unwritable
from voucherswitch.providers.contract.transport.xml_masking import XmlMask

PRODUCT_CODE_CHARS_MAX: Final = 12
_NOT_BY_CODE: Final = Declined(ErrorType.FUNCTION_NOT_SUPPORTED)


class Heard(Struct, frozen=True):
    """The answer to an event, and the session it was sent in."""

    body: bytes
    session_id: str


class AeonConnector(BaseConnector):
    """Blu Voucher over AEON as the switch sees it."""

    def __init__(self, provider_id: str, settings: BluVoucherSettings) -> None:
        self.capabilities = override_capabilities(capabilities(settings), provider_id, settings.capabilities)
        self._settings = settings
        self._rules = rules_of(settings)
        self._device = translate.Device.of(settings)
        self._authentication = translate.authentication(self._device)
        self._lines = LineTransport(
            provider_id,
            settings,
            LineAddress(settings.host or "", settings.port or 0, settings.tls.enabled),
            messages.CLOSING_TAG,
            XmlMask(wire_of(messages)),
        )
        self._authentication_shown = self._lines.masked(self._authentication)

    async def provision(self, order: ProvisionOrder, call: Call) -> Outcome:
        if refusal := refusal_of(order):
            return refusal
        store = self._settings.store_code(order.store.merchant_id, order.store.terminal_id)
        if store is None or not 0 < len(order.product) <= PRODUCT_CODE_CHARS_MAX:
            return UNROUTABLE
        heard = await self._ask(
            call, "provision", messages.GET_VOUCHER, lambda session: translate.get_voucher(order, session)
        )
        if not isinstance(heard, Heard):
            return heard
        return translate.from_get_voucher(
            heard.body, heard.session_id, order, self._rules, can_ask=self._settings.trans_status
        )

    async def retry(self, order: ProvisionOrder, call: Call) -> Outcome:
        """Emulated by asking: a second GetVoucher could be a second voucher."""
        asked = StatusOrder(order.request_id, order.amount_cents, sent_ms_ago=order.settled_ms_ago)
        return await self._trans_status(asked, call, "retry")

    async def status(self, order: StatusOrder, call: Call) -> Outcome:
        return await self._trans_status(order, call, "status")

    async def lookup(self, order: LookupOrder, call: Call) -> Outcome:
        code = order.voucher_code
        if code is None:  # AEON finds a voucher by nothing else
            return _NOT_BY_CODE
        if refusal := impossible_code(code, self._rules.pin_pattern):
            return refusal
        heard = await self._enquire(call, "lookup", code)
        if not isinstance(heard, Heard):
            return heard
        return translate.from_enquiry(heard.body, heard.session_id, order, self._rules)

    async def redeem(self, order: RedeemOrder, call: Call) -> Outcome:
        refusal = refusal_of(order, cents_min=0) or impossible_code(order.voucher_code, self._rules.pin_pattern)
        if refusal is not None:
            return refusal
        call = self._lines.bounded(call)  # one time for both events
        amount_cents = order.amount_cents
        if amount_cents == 0:  # all there is, and the event has to say how much that is
            worth = await self._worth(order, call)
            if not isinstance(worth, int):
                return worth
            amount_cents = worth
        heard = await self._ask(
            call,
            "redeem",
            messages.VOUCHER_SPEND,
            lambda session: translate.voucher_spend(order, amount_cents, session),
            secrets_of(order),
        )
        if not isinstance(heard, Heard):
            return heard
        return translate.from_spend(heard.body, heard.session_id, order, amount_cents, self._rules)

    async def redeem_status(self, order: StatusOrder, call: Call) -> Outcome:
        if order.voucher_code is None:
            return OutcomeUnknown(provider_message="the voucher to ask about is not known")
        heard = await self._enquire(call, "redeemStatus", order.voucher_code)
        if not isinstance(heard, Heard):
            return in_doubt(heard)
        return translate.from_spend_enquiry(heard.body, heard.session_id, order, self._rules)

    async def confirm(self, order: AdviceOrder, call: Call) -> AdviceResult:
        call = self._lines.bounded(call)  # one time for the question and the event
        trans_ref = order.refs.get(translate.TRANS_REF) or await self._trans_ref(order, call)
        if not isinstance(trans_ref, str):
            return trans_ref
        return await self._advise(
            call,
            "confirm",
            messages.SOLD_VOUCHER,
            order,
            lambda: translate.sold_voucher(order, trans_ref, self._device),
        )

    async def reverse(self, order: AdviceOrder, call: Call) -> AdviceResult:
        trans_ref = order.refs.get(translate.TRANS_REF)
        return await self._advise(
            call,
            "reverse",
            messages.CANCEL_VOUCHER,
            order,
            lambda: translate.cancel_voucher(order, trans_ref, self._device),
        )

    async def products(self, call: Call) -> tuple[ProviderProduct, ...] | OutcomeUnknown:
        heard = await self._ask(call, "products", messages.GET_PRODUCT_LIST, translate.get_product_list)
        if isinstance(heard, Heard):
            return translate.from_products(heard.body, heard.session_id, self._rules)
        return OutcomeUnknown(heard.error_type, heard.provider_code, heard.provider_message, heard.alert)

    async def close(self) -> None:
        await self._lines.close()

    async def _trans_status(self, order: StatusOrder, call: Call, operation: str) -> Outcome:
        if not self._settings.trans_status:
            return OutcomeUnknown(ErrorType.FUNCTION_NOT_SUPPORTED)
        heard = await self._ask_status(order.request_id, call, operation)
        if not isinstance(heard, Heard):
            return in_doubt(heard)
        return translate.from_trans_status(heard.body, heard.session_id, order, self._rules)

    async def _trans_ref(self, order: AdviceOrder, call: Call) -> str | AdviceResult:
        """Ask for the TransRef that SoldVoucher needs, of a sale whose answer was lost."""
        if not self._settings.trans_status:
            return Refused(provider_message="the TransRef is not known and cannot be asked for")
        heard = await self._ask_status(order.request_id, call, "status")
        if isinstance(heard, Heard):
            return translate.trans_ref_of(heard.body, heard.session_id, order, self._rules)
        return Pending(heard.provider_message or heard.error_type, heard.alert)

    async def _worth(self, order: RedeemOrder, call: Call) -> int | Outcome:
        """What a voucher can be spent for; an outcome if it cannot be. Nothing is spent by asking."""
        heard = await self._enquire(call, "lookup", order.voucher_code)
        if not isinstance(heard, Heard):
            return _unspent(heard)
        asked = LookupOrder(voucher_code=order.voucher_code)
        found = translate.from_enquiry(heard.body, heard.session_id, asked, self._rules)
        if not isinstance(found, Approved):
            return _unspent(found)
        if found.approved_cents > 0:
            return found.approved_cents
        spent = found.voucher_state == translate.SPENT
        refused = ErrorType.VOUCHER_ALREADY_REDEEMED if spent else ErrorType.VOUCHER_NOT_REDEEMABLE
        return Declined(refused, provider_message=found.voucher_state)

    async def _ask_status(self, request_id: str, call: Call, operation: str) -> Heard | NotSent | OutcomeUnknown:
        return await self._ask(
            call, operation, messages.GET_TRANS_STATUS, lambda session: translate.get_trans_status(request_id, session)
        )

    async def _enquire(self, call: Call, operation: str, code: str) -> Heard | NotSent | OutcomeUnknown:
        reference = str(uuid4())  # of the question itself, so it is nobody's request
        return await self._ask(
            call,
            operation,
            messages.VOUCHER_ENQUIRY,
            lambda session: translate.voucher_enquiry(reference, code, session),
            (code,),
        )

    async def _ask(
        self,
        call: Call,
        operation: str,
        event_type: str,
        write: Callable[[str], bytes],
        secrets: tuple[str, ...] = (),
    ) -> Heard | NotSent | OutcomeUnknown:
        """Make one event on a connection of its own, in a session of its own."""
        async with self._lines.session(call) as lines:
            renewals_left = 1 if self._settings.renew_once else 0
            while True:
                session = await self._authenticate(lines)
                if isinstance(session, NotSent):
                    return session
                try:
                    event = write(session)
                except Unwritable:
                    return UNWRITABLE
                result = await lines.send(operation, event, secrets=secrets)
                if not isinstance(result, bytes):
                    return failed(result)
                if renewals_left == 0 or not translate.session_unknown(result, event_type, session):
                    return Heard(result, session)
                renewals_left -= 1

    async def _authenticate(self, lines: LineSession) -> str | NotSent:
        """Open a session; whatever comes of it, no event was sent."""
        result = await lines.send("auth", self._authentication, shown=self._authentication_shown)
        if isinstance(result, bytes):
            return translate.session_of(result, self._rules)
        return _unsent(failed(result))

    async def _advise(
        self, call: Call, operation: str, event_type: str, order: AdviceOrder, write: Callable[[], bytes]
    ) -> AdviceResult:
        """Make one event that needs no session, on a connection of its own."""
        try:
            event = write()
        except Unwritable:
            return UNWRITABLE_ADVICE
        async with self._lines.session(call) as lines:
            result = await lines.send(operation, event, secrets=secrets_of(order))
        if isinstance(result, bytes):
            return translate.from_advice(result, event_type, order, self._rules)
        return failed_advice(result)


def _unsent(outcome: NotSent | OutcomeUnknown) -> NotSent:
    """A doubt about a message before the event, which leaves none about the event."""
    return NotSent(outcome.error_type, outcome.provider_code, outcome.provider_message, outcome.alert)


def _unspent(outcome: Outcome) -> Outcome:
    return _unsent(outcome) if isinstance(outcome, OutcomeUnknown) else outcome


def connect(provider_id: str, settings: Mapping[str, object]) -> Connector:
    """Build the connector of a Blu Voucher provider, for the mode that its settings name.

    Raises:
        ProviderSettingsError: one line that names the key and what to set.
    """
    typed = bluvoucher_settings(provider_id, settings)
    return AeonConnector(provider_id, typed) if typed.mode == "aeon" else TradeConnector(provider_id, typed)
