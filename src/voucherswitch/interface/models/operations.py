"""The table of operations of the Single Use Vouchers interface v1.24 (interface.md §1), in its order."""

from typing import Any, Final

from msgspec import Struct

from voucherswitch.interface import models
from voucherswitch.interface.models import examples

Json = dict[str, Any]


class Operation(Struct, frozen=True):
    """One row of the table. `answer` is the body of the success status; `also_fails` adds to what any call can get."""

    method: str
    path: str
    id: str
    tag: str
    summary: str
    description: str
    success: int
    answer: type[Struct]
    answer_example: Json
    request: type[Struct] | None = None
    request_example: Json | None = None
    query: type[Struct] | None = None
    also_fails: tuple[int, ...] = ()


REPEAT: Final = "Repeat the same message until the answer is not 5xx; repeating does no harm."

OPERATIONS: Final = (
    Operation(
        method="post",
        path="/vouchers",
        id="provisionVoucher",
        tag="Vouchers",
        summary="Provision a voucher",
        description=(
            "Asks the voucher's provider to issue a voucher. You may name its code in `voucher.code`; it then comes "
            "back unchanged. After an unknown outcome retry with the same id or reverse. Depending on your settings a "
            "provider's final decline is answered 400 or 404."
        ),
        request=models.ProvisionRequest,
        request_example=examples.PROVISION_REQUEST,
        success=201,
        answer=models.ProvisionResponse,
        answer_example=examples.PROVISION_RESPONSE,
        also_fails=(404,),
    ),
    Operation(
        method="post",
        path="/vouchers/{provisionId}/retry",
        id="retryProvisionVoucher",
        tag="Vouchers",
        summary="Retry a provision",
        description=(
            "For a provision whose answer never arrived. Takes the original request, unchanged; `provisionId` is its "
            "id. A voucher that was issued is returned, not issued again, so you may retry until an answer arrives. "
            "`/vouchers/{provisionId}/retries` is the same."
        ),
        request=models.ProvisionRequest,
        request_example=examples.PROVISION_REQUEST,
        success=201,
        answer=models.ProvisionResponse,
        answer_example=examples.PROVISION_RESPONSE,
        also_fails=(404, 501),
    ),
    Operation(
        method="post",
        path="/vouchers/confirmations",
        id="confirmVoucher",
        tag="Vouchers",
        summary="Confirm a provision",
        description=f"The customer has paid and holds the voucher, which can be redeemed from now on. {REPEAT}",
        request=models.TenderAdvice,
        request_example=examples.TENDER_ADVICE,
        success=202,
        answer=models.TenderAdvice,
        answer_example=examples.TENDER_ADVICE,
        also_fails=(404,),
    ),
    Operation(
        method="post",
        path="/vouchers/reversals",
        id="reverseVoucher",
        tag="Vouchers",
        summary="Reverse a provision",
        description=(
            "Undoes a provision that failed, got no answer or was cancelled. A reversal that comes before its "
            f"provision is answered 404 and kept, so that the late provision is refused. {REPEAT}"
        ),
        request=models.BasicReversal,
        request_example=examples.PROVISION_REVERSAL,
        success=202,
        answer=models.BasicReversal,
        answer_example=examples.PROVISION_REVERSAL,
        also_fails=(404,),
    ),
    Operation(
        method="get",
        path="/vouchers",
        id="lookupVoucher",
        tag="Vouchers",
        summary="Look up a voucher",
        description=(
            "Tells what is known about a voucher and changes nothing. At least one of `voucherCode`, "
            "`provisionRequestId` and `voucherSerialNumber` must be given. Unknown parameters are ignored."
        ),
        query=models.VoucherLookupQuery,
        success=200,
        answer=models.VoucherLookupResponse,
        answer_example=examples.VOUCHER_LOOKUP_RESPONSE,
        also_fails=(404,),
    ),
    Operation(
        method="post",
        path="/redemptions",
        id="redeemVoucher",
        tag="Redemptions",
        summary="Redeem a voucher",
        description="Uses a voucher as tender for `amounts.requestAmount`. Outcome unknown: reverse it or look it up.",
        request=models.RedemptionRequest,
        request_example=examples.REDEMPTION_REQUEST,
        success=201,
        answer=models.RedemptionResponse,
        answer_example=examples.REDEMPTION_RESPONSE,
    ),
    Operation(
        method="post",
        path="/redemptions/confirmations",
        id="confirmRedeem",
        tag="Redemptions",
        summary="Confirm a redemption",
        description=f"Promises that no reversal of this redemption follows; a refund stays possible. {REPEAT}",
        request=models.BasicAdvice,
        request_example=examples.REDEMPTION_CONFIRMATION,
        success=202,
        answer=models.BasicAdvice,
        answer_example=examples.REDEMPTION_CONFIRMATION,
        also_fails=(404,),
    ),
    Operation(
        method="post",
        path="/redemptions/reversals",
        id="reverseRedeem",
        tag="Redemptions",
        summary="Reverse a redemption",
        description=f"Undoes a redemption that failed, got no answer or was cancelled. {REPEAT}",
        request=models.BasicReversal,
        request_example=examples.REDEMPTION_REVERSAL,
        success=202,
        answer=models.BasicReversal,
        answer_example=examples.REDEMPTION_REVERSAL,
        also_fails=(404,),
    ),
    Operation(
        method="get",
        path="/redemptions/{requestId}",
        id="lookupRedemption",
        tag="Redemptions",
        summary="Learn the outcome of a redemption",
        description=(
            "An approved redemption is answered 200 with its response, a declined one with its original status and "
            "error. 404 without a body: never received. 403 without a body: another client's. One still in progress is "
            "waited for, then answered 504."
        ),
        success=200,
        answer=models.RedemptionResponse,
        answer_example=examples.REDEMPTION_RESPONSE,
        also_fails=(404,),
    ),
    Operation(
        method="post",
        path="/refunds",
        id="refundVoucher",
        tag="Refunds",
        summary="Refund a redemption",
        description=(
            "Puts a redeemed voucher back. Without `amounts.requestAmount` all of it is refunded. The redemption is "
            "found by the voucher, `redemptionId` and `receiverTransactionRef`."
        ),
        request=models.RefundRequest,
        request_example=examples.REFUND_REQUEST,
        success=201,
        answer=models.RefundResponse,
        answer_example=examples.REFUND_RESPONSE,
    ),
    Operation(
        method="post",
        path="/refunds/confirmations",
        id="confirmRefund",
        tag="Refunds",
        summary="Confirm a refund",
        description=f"Promises that no reversal of this refund follows; the voucher can be redeemed again. {REPEAT}",
        request=models.BasicAdvice,
        request_example=examples.REFUND_CONFIRMATION,
        success=202,
        answer=models.BasicAdvice,
        answer_example=examples.REFUND_CONFIRMATION,
        also_fails=(404,),
    ),
    Operation(
        method="post",
        path="/refunds/reversals",
        id="reverseRefund",
        tag="Refunds",
        summary="Reverse a refund",
        description=f"Undoes a refund that failed, got no answer or was cancelled. {REPEAT}",
        request=models.BasicReversal,
        request_example=examples.REFUND_REVERSAL,
        success=202,
        answer=models.BasicReversal,
        answer_example=examples.REFUND_REVERSAL,
        also_fails=(404,),
    ),
    Operation(
        method="get",
        path="/products",
        id="lookupProducts",
        tag="Products",
        summary="List the products that you may sell",
        description="The catalogue kept for you. On any error try again or use your last list.",
        query=models.ProductsLookupQuery,
        success=200,
        answer=models.ProductsLookupResponse,
        answer_example=examples.PRODUCTS_LOOKUP_RESPONSE,
        also_fails=(404, 501),
    ),
)
