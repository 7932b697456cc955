"""docs/howto/sandbox.md tells of everything that the sandbox is loaded with."""

import pytest

from docs.doc_pages import page, rows
from voucherswitch.catalogue import sandbox
from voucherswitch.providers.contract.simulator.running import CONTROL_PORT_ABOVE
from voucherswitch.providers.registry import simulator_port
from voucherswitch.providers.sandbox.simulator.products import DECLINES, TRANSPORT

PAGE = page("docs/howto/sandbox.md")


@pytest.mark.parametrize("product", sandbox.SCRIPTED)
def test_every_scripted_product_has_a_row(product: str) -> None:
    named = {word.strip("`") for row in rows(PAGE.text) for word in row[0].replace(",", " ").split()}
    assert product in named


def test_every_product_is_named() -> None:
    assert [product.id for product in sandbox.products() if f"`{product.id}`" not in PAGE.text] == []


def test_every_script_by_amount_has_a_row() -> None:
    section = rows(PAGE.section("By amount"))
    documented = {int(number) for row in section for number in row[0].replace(",", " ").split()}
    assert documented == {*DECLINES, *TRANSPORT}


def test_who_and_where_is_named() -> None:
    for named in (sandbox.ORIGINATOR_ID, sandbox.MOBITALK, sandbox.SETTLEMENT.id):
        assert f"`{named}`" in PAGE.text
    assert f"127.0.0.1:{simulator_port('sandbox') + CONTROL_PORT_ABOVE}" in PAGE.text
