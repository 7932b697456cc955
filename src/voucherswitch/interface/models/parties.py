"""Who takes part: institutions, the merchant's shop and till, the customer."""

from typing import Annotated, Final

from voucherswitch.interface.models.base import DateTime, Email, Message, Text, chars, matching
from voucherswitch.message.marks import MASKED, MASKED_LAST_FOUR, plain

COMPANY: Final = plain("a company's name")


class Institution(Message):
    """A company in one of the roles of a transaction."""

    id: Text
    name: Annotated[str, chars(0, 40), COMPANY]


class MerchantName(Message):
    """Name and place of the shop, as printed on statements."""

    name: Annotated[str, chars(0, 23), COMPANY]
    city: Annotated[str, chars(0, 13)]
    region: Annotated[str, chars(0, 2)]
    country: Annotated[str, chars(0, 2)]


class Merchant(Message):
    """The shop. `merchantType` is its merchant category code."""

    merchant_type: Annotated[str, matching("[0-9]{4}")]
    merchant_id: Annotated[str, chars(15, 15)]
    merchant_name: MerchantName


class Originator(Message):
    """Where a transaction starts: institution, till, shop and cashier."""

    institution: Institution
    terminal_id: Annotated[str, chars(8, 8)]
    merchant: Merchant
    operator_id: Annotated[str, chars(0, 30), MASKED] | None = None
    channel_id: Annotated[str, chars(0, 50)] | None = None


class ThirdPartyIdentifier(Message):
    """One party's own reference of a transaction."""

    institution_id: Text
    transaction_identifier: Text


class Address(Message):
    """A postal address."""

    address_line1: Annotated[str, chars(1, 100), MASKED] | None = None
    address_line2: Annotated[str, chars(1, 100), MASKED] | None = None
    city: Annotated[str, chars(1, 30), MASKED] | None = None
    region: Annotated[str, matching("[A-Z]{2}"), MASKED] | None = None
    country: Annotated[str, matching("[A-Z]{2}"), MASKED] | None = None
    postal_code: Annotated[str, matching("[A-Za-z0-9 -]{1,20}"), MASKED] | None = None


class Customer(Message):
    """The person who receives or uses a voucher. Nothing is compulsory here; a provider may need some of it."""

    first_name: Annotated[str, chars(0, 40), MASKED] | None = None
    last_name: Annotated[str, chars(0, 40), MASKED] | None = None
    address: Annotated[str, chars(0, 80), MASKED] | None = None
    address_details: Annotated[Address, MASKED] | None = None
    date_of_birth: Annotated[DateTime, MASKED] | None = None
    status: Text | None = None
    msisdn: Annotated[str, matching(r"^\+?[1-9]\d{0,14}"), MASKED_LAST_FOUR] | None = None
    email_address: Annotated[Email, MASKED] | None = None
    profile_id: Annotated[Text, MASKED] | None = None
