"""What arrives outside a body: query parameters, ids in paths, and the retry that must repeat its original."""

from typing import Any

import pytest

from support.interface_examples import PROVISION_REQUEST, changed, encoded, without
from voucherswitch.interface.decode import (
    FormatErrors,
    check_uuid,
    decode,
    decode_retry,
    products_lookup_query,
    same_request,
    voucher_lookup_query,
)
from voucherswitch.interface.models import ProductsLookupQuery, ProvisionRequest, VoucherLookupQuery

ID = PROVISION_REQUEST["id"]
UUID_TEXT = "UUID must conform to the format 8-4-4-4-12 hexadecimal values"


def listed(caught: pytest.ExceptionInfo[FormatErrors]) -> list[tuple[str | None, str, str | None]]:
    return [(one.field, one.msg, one.value) for one in caught.value.violations]


def test_a_lookup_takes_any_of_its_three_keys() -> None:
    assert voucher_lookup_query([("voucherCode", "77 19")]) == VoucherLookupQuery(voucher_code="77 19")
    assert voucher_lookup_query([("provisionRequestId", ID)]) == VoucherLookupQuery(provision_request_id=ID)
    assert voucher_lookup_query(
        [("voucherSerialNumber", "SB-1"), ("receiverInstId", "7"), ("settlementEntityInstId", ""), ("anything", "x")]
    ) == VoucherLookupQuery(voucher_serial_number="SB-1", receiver_inst_id="7", settlement_entity_inst_id="")


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ([], (None, "voucherCode, provisionRequestId or voucherSerialNumber may not be null", None)),
        (
            [("receiverInstId", "7"), ("vouchercode", "1")],
            (None, "voucherCode, provisionRequestId or voucherSerialNumber may not be null", None),
        ),
        ([("voucherCode", "")], ("voucherCode", "voucherCode length must be between 1 and 40", None)),
        ([("voucherCode", "1" * 41)], ("voucherCode", "voucherCode length must be between 1 and 40", None)),
        (
            [("voucherSerialNumber", "1" * 41)],
            ("voucherSerialNumber", "voucherSerialNumber length must be between 1 and 40", "1" * 41),
        ),
        ([("provisionRequestId", "1-2")], ("provisionRequestId", UUID_TEXT, "1-2")),
        ([("voucherCode", "1"), ("voucherCode", "2")], ("voucherCode", "Duplicate field 'voucherCode'", None)),
        (
            [("voucherCode", "1\0")],
            ("voucherCode", "voucherCode must not contain NUL or unpaired surrogates", None),
        ),
        (
            [("voucherCode", "1"), ("receiverInstId", "7" * 256)],
            ("receiverInstId", "receiverInstId length must be between 0 and 255", "7" * 80),
        ),
    ],
)
def test_a_lookup_query_that_asks_nothing_or_badly_is_refused(parameters: Any, expected: Any) -> None:
    with pytest.raises(FormatErrors) as caught:
        voucher_lookup_query(parameters)
    assert listed(caught) == [expected]
    assert caught.value.id is None


def test_the_channel_of_a_product_list_is_optional_but_not_empty() -> None:
    assert products_lookup_query([]) == ProductsLookupQuery()
    assert products_lookup_query([("channelName", "APP"), ("page", "2")]).channel_name == "APP"
    for name in ("", "x" * 51):
        with pytest.raises(FormatErrors) as caught:
            products_lookup_query([("channelName", name)])
        assert listed(caught) == [("channelName", "channelName length must be between 1 and 50", name)]


def test_an_id_in_a_path_must_have_the_shape_of_a_uuid() -> None:
    assert check_uuid("requestId", ID.upper()) == []
    (found,) = check_uuid("requestId", f"{{{ID}}}")
    assert (found.field, found.msg, found.value) == ("requestId", UUID_TEXT, f"{{{ID}}}")


def test_a_retry_repeats_the_id_of_its_path_in_any_case() -> None:
    body = encoded(PROVISION_REQUEST)
    assert decode_retry(body, ID.upper()) == decode(body, ProvisionRequest)


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("no-uuid", PROVISION_REQUEST, [("provisionId", UUID_TEXT, "no-uuid")]),
        (ID[:-1] + "e", PROVISION_REQUEST, [("id", "id must equal provisionId", ID)]),
        (
            ID[:-1] + "e",
            without(PROVISION_REQUEST, ["client"]),
            [("id", "id must equal provisionId", ID), ("client", "client may not be null", None)],
        ),
        (ID, without(PROVISION_REQUEST, ["id"]), [("id", "id may not be null", None)]),
        (
            "x",
            changed(PROVISION_REQUEST, ["id"], "y"),
            [("provisionId", UUID_TEXT, "x"), ("id", UUID_TEXT, "y")],
        ),
    ],
)
def test_a_retry_lists_what_is_wrong_with_its_path_and_its_body(path: str, body: Any, expected: Any) -> None:
    with pytest.raises(FormatErrors) as caught:
        decode_retry(encoded(body), path)
    assert listed(caught) == expected
    assert caught.value.id == (ID if body.get("id") == ID else None)


def request(**fields: Any) -> ProvisionRequest:
    return decode(encoded({**PROVISION_REQUEST, **fields}), ProvisionRequest)


def test_a_retry_may_differ_in_what_does_not_change_the_order() -> None:
    later = request(time="2026-03-01T00:00:00.000Z", stan=None, voucher={"serialNumber": "1"})
    assert same_request(request(), later) == []


def test_a_retry_that_asks_for_something_else_is_refused_part_by_part() -> None:
    found = same_request(
        request(),
        request(
            receiver={"id": "70110009", "name": "Springbok Vouchers"},
            amounts={"requestAmount": {"amount": 10001, "currency": "710"}},
            voucher={"code": "1"},
            product={"productId": "SPRINGBOK200"},
        ),
    )
    assert [(one.field, one.msg, one.value) for one in found] == [
        ("receiver.id", "receiver.id must equal the original request", "70110009"),
        ("amounts.requestAmount", "amounts.requestAmount must equal the original request", None),
        ("voucher.code", "voucher.code must equal the original request", None),
        ("product.productId", "product.productId must equal the original request", "SPRINGBOK200"),
    ]


@pytest.mark.parametrize("field", ["receiver", "amounts", "product"])
def test_leaving_out_what_the_original_asked_for_is_a_difference(field: str) -> None:
    assert len(same_request(request(), request(**{field: None}))) == 1
