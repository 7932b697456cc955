"""Reading and writing XML safely: hostile documents are findings, never exceptions or open files, and what we write is
what was meant. The mask shows no secret, whatever the document calls it by."""

import contextlib
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from voucherswitch.message.marks import Shown
from voucherswitch.providers.contract.answers import BadAnswer
from voucherswitch.providers.contract.transport.masking import RECORDED_CHARS_MAX
from voucherswitch.providers.contract.transport.xml import (
    DEPTH_MAX,
    LINE_BREAK,
    NOTHING,
    Unwritable,
    attributes_of,
    child,
    children,
    document,
    element,
    leaf,
    name_of,
    optional,
    own_text,
    parse,
    text_of,
)
from voucherswitch.providers.contract.transport.xml_masking import XmlMask

PIN = "4820193746551928"
CONTENT_TYPE = "application/xml; charset=UTF-8"

BILLION_LAUGHS = (
    b'<!DOCTYPE a [<!ENTITY l "lol">'
    + b"".join(b'<!ENTITY l%d "%b">' % (n, b"&l%d;" % (n - 1) * 10 if n else b"&l;" * 10) for n in range(10))
    + b"]><a>&l9;</a>"
)


def reason(body: bytes) -> str:
    """Why a document is refused."""
    with pytest.raises(BadAnswer) as refused:
        parse(body)
    assert refused.value.__cause__ is None
    return str(refused.value)


# Hostile documents


def test_billion_laughs_are_not_heard() -> None:
    assert reason(BILLION_LAUGHS) == "the answer has a DOCTYPE"


def test_an_external_entity_is_not_opened(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("in clear")
    for target in (f"file://{quote(str(secret))}", "http://127.0.0.1:9/x"):
        body = f'<!DOCTYPE a [<!ENTITY x SYSTEM "{target}">]><a>&x;</a>'.encode()
        assert reason(body) == "the answer has a DOCTYPE"
    dtd = f'<!DOCTYPE a SYSTEM "file://{quote(str(secret))}"><a/>'.encode()
    assert reason(dtd) == "the answer has a DOCTYPE"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7", "cp500", "utf-8-sig"])
def test_a_doctype_is_found_in_any_encoding(encoding: str) -> None:
    """The parser reads UTF-8 whatever a document calls itself, so nothing hides from the search before it."""
    declaration = f'<?xml version="1.0" encoding="{encoding}"?>'
    for start in ("", declaration):
        reason((start + '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>').encode(encoding))
    reason(declaration.encode() + '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'.encode(encoding))


@pytest.mark.parametrize(
    "body", [b"<a>&x;</a>", b"<a b='&x;'/>", b"<!ENTITY x 'y'><a/>", b"<!doctype a><a/>", b"%x;<a/>"]
)
def test_an_entity_without_a_doctype_is_refused(body: bytes) -> None:
    assert reason(body) == "the answer cannot be read"


def test_an_xinclude_and_a_stylesheet_are_only_text(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("in clear")
    body = f'<?xml-stylesheet href="file://{tmp_path}/f"?><a xmlns:i="http://www.w3.org/2001/XInclude"><i:include \
href="file://{tmp_path}/f" parse="text"/></a>'.encode()
    assert "in clear" not in etree.tostring(parse(body), encoding="unicode")


def test_nesting_is_bounded() -> None:
    deepest = parse(b"<a>" * DEPTH_MAX + b"</a>" * DEPTH_MAX)
    assert name_of(deepest) == "a"
    assert reason(b"<a>" * (DEPTH_MAX + 1) + b"</a>" * (DEPTH_MAX + 1)) == "the answer is nested too deep"
    for depth in (255, 256, 257, 300, 100_000):
        assert reason(b"<a>" * depth + b"</a>" * depth).startswith("the answer ")
    assert reason(b"<a>" * 100_000) == "the answer cannot be read"
    wide = b"<a>" + b"<b/>" * 10_000 + b"</a>"
    assert len(parse(wide)) == 10_000


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"\x00",
        b"<a/>\x00",
        b"<a/>x",
        b"<a/><b/>",
        b"<a>",
        b"<a></b>",
        b"<a b='1' b='2'/>",
        b"<a:b/>",
        b"<a>\x01</a>",
        b"<a>&#0;</a>",
        b"<a>&#xD800;</a>",
        b"<a>\xff</a>",
        b"<a>\xc0\xaf</a>",
        b"<a>\xed\xa0\x80</a>",
        b"<a>\xe9</a>",
        b'<?xml version="1.0" encoding="iso-8859-1"?><a>\xe9</a>',
        "<a>x</a>".encode("utf-16"),
        "<a>x</a>".encode("utf-16-le"),
        "<a>x</a>".encode("utf-32"),
        "<a>x</a>".encode("cp500"),
        b"{}",
        b"<html><br></html>",
    ],
)
def test_what_is_no_document_is_refused_without_quoting_it(body: bytes) -> None:
    assert reason(body) == "the answer cannot be read"


def test_a_documents_own_words_are_not_in_the_finding() -> None:
    assert PIN not in reason(f"<Pin>{PIN}</Pim>".encode())


def test_a_declared_encoding_does_not_change_what_is_read() -> None:
    for declared in ("utf-8", "UTF-8", "iso-8859-1", "utf-16"):
        root = parse(f'<?xml version="1.0" encoding="{declared}"?><a>é</a>'.encode())
        assert own_text(root) == "é"
    assert own_text(parse(b"\xef\xbb\xbf<a>x</a>")) == "x"


@given(st.binary(max_size=400))
def test_any_bytes_are_a_document_or_a_finding(body: bytes) -> None:
    try:
        root = parse(body)
    except BadAnswer:
        return
    assert isinstance(name_of(root), str)


@given(st.text("<>/&;!-[]ab'\"= \x00\ud7ff", max_size=200), st.text("<!DOCTYPEENTITY&;%[]>abx\"' ", max_size=100))
def test_any_markup_is_a_document_or_a_finding(first: str, second: str) -> None:
    for text in (first, second + first, f"<a>{first}</a>"):
        body = text.encode()
        try:
            root = parse(body)
        except BadAnswer:
            continue
        assert root.getroottree().docinfo.internalDTD is None


def test_hostile_documents_leave_the_reader_usable() -> None:
    for body in (BILLION_LAUGHS, b"<a>" * 100_000, b"\x00", b"<a>" + b"&#x41;" * 100_000 + b"</a>"):
        for _ in range(20):
            with contextlib.suppress(BadAnswer):
                parse(body)
    assert text_of(parse(b"<a><b>1</b></a>"), "b") == "1"


# Finding


NAMESPACED = (
    b'<x:a xmlns:x="urn:1"><x:b> 1 </x:b><y:b xmlns:y="urn:2">2</y:b><z:c xmlns:z="urn:1">3</z:c><d>4</d></x:a>'
)


def test_children_are_found_by_namespace_under_any_prefix() -> None:
    root = parse(NAMESPACED)
    assert text_of(root, "{urn:1}b") == "1"
    assert text_of(root, "{urn:2}b") == "2"
    assert text_of(root, "{urn:1}c") == "3"
    assert text_of(root, "{urn:3}c") is None
    assert text_of(root, "{urn:1}d") is None


def test_a_plain_name_finds_every_namespace() -> None:
    root = parse(NAMESPACED)
    assert [own_text(part) for part in children(root, "b")] == ["1", "2"]
    assert (text_of(root, "c"), text_of(root, "d"), text_of(root, "D")) == ("3", "4", None)
    assert (text_of(root, "C", any_case=True), text_of(root, "D", any_case=True)) == ("3", "4")
    assert [name_of(part) for part in root] == ["b", "b", "c", "d"]


def test_an_element_twice_is_not_guessed_at() -> None:
    root = parse(b"<a><Pin>1</Pin><pin>2</pin><b/><b/></a>")
    assert text_of(root, "Pin") == "1"
    for name, any_case in (("b", False), ("PIN", True)):
        with pytest.raises(BadAnswer, match="twice"):
            text_of(root, name, any_case=any_case)
    with pytest.raises(BadAnswer, match="twice"):
        child(root, "b")


def test_elements_in_a_value_are_not_overlooked() -> None:
    with pytest.raises(BadAnswer, match="elements in a value"):
        text_of(parse(b"<a><b>1<c/>2</b></a>"), "b")


def test_text_is_whole_and_without_the_space_around_it() -> None:
    root = parse(b"<a><b>\r\n 12<!-- x -->34<?p x?><![CDATA[5<]]>&amp; 6\t</b><c/><d> </d></a>")
    assert text_of(root, "b") == "12345<& 6"
    assert (text_of(root, "c"), text_of(root, "d"), text_of(root, "e")) == ("", "", None)
    assert text_of(parse("<a><b>\u00a01\u2003</b></a>".encode()), "b") == "\u00a01\u2003"


def test_attributes() -> None:
    assert attributes_of(parse(b'<a b="1" x:c="2" xmlns:x="urn:1"/>')) == {"b": "1", "{urn:1}c": "2"}


# Writing


def test_elements_in_order_with_escaped_text() -> None:
    root = element(
        "Sale",
        leaf("Text", "<a & 'b' \"c\">]]>\r\n"),
        LINE_BREAK,
        optional("Left", None),
        optional("Out", ""),
        element("Auth", attributes={"name": "\"<&>'\t\n\r"}),
        NOTHING,
    )
    assert document(root) == (
        b"<Sale><Text>&lt;a &amp; 'b' \"c\"&gt;]]&gt;&#13;\n</Text>\n"
        b'<Auth name="&quot;&lt;&amp;&gt;\'&#9;&#10;&#13;"/></Sale>'
    )
    assert document(element("a"), declaration=True) == b'<?xml version="1.0" encoding="UTF-8"?><a/>'


@pytest.mark.parametrize("text", ["\x00", "a\x08", "\x0b", "\x1f", "\ud800", "\ufffe", "\uffff", "a\x1bb"])
def test_what_xml_cannot_hold_is_unwritable(text: str) -> None:
    with pytest.raises(Unwritable):
        document(leaf("a", text))
    with pytest.raises(Unwritable):
        document(element("a", attributes={"b": text}))


@given(st.text(), st.text())
def test_what_is_written_is_read_again_or_refused(text: str, value: str) -> None:
    root = element("a", leaf("b", text), attributes={"c": value})
    try:
        body = document(root)
    except Unwritable:
        return
    read = parse(body)
    assert (read[0].text or "") == text
    assert attributes_of(read) == {"c": value}
    assert len(read) == 1


# Masking


def masked(body: str | bytes, mask: XmlMask | None = None) -> str:
    return (mask or XmlMask())(body if isinstance(body, bytes) else body.encode(), CONTENT_TYPE)


@pytest.mark.parametrize(
    "name", ["Pin", "PIN", "pin", "voucherPIN", "VoucherNumber", "RedeemUrl", "Password", "code", "token"]
)
def test_secret_names_are_masked_as_elements_and_attributes(name: str) -> None:
    assert masked(f"<a><b><{name}>{PIN}</{name}></b></a>") == f"<a><b><{name}>***</{name}></b></a>"
    assert masked(f'<a><b {name}="{PIN}" c="1"/></a>') == f'<a><b {name}="***" c="1"/></a>'
    assert masked(f"<{name}>{PIN}</{name}>") == f"<{name}>***</{name}>"


@pytest.mark.parametrize("start", ["x:", "y:", ""])
def test_any_prefix_and_namespace_is_masked(start: str) -> None:
    declared = f'xmlns{":" + start[:-1] if start else ""}="urn:any"'
    text = masked(f'<{start}a {declared}><{start}Pin {start}PIN="{PIN}">{PIN}</{start}Pin></{start}a>')
    assert PIN not in text
    assert "***" in text


def test_everything_inside_a_secret_element_is_masked() -> None:
    inner = f'{PIN}<b c="{PIN}">{PIN}<d>{PIN}</d>{PIN}</b>{PIN}<e/>{PIN}'
    text = masked(f"<a><token>{inner}</token> shown</a>")
    assert PIN not in text
    assert text.endswith("</token> shown</a>")


def test_a_voucher_that_is_text_is_masked_and_one_with_fields_is_not() -> None:
    assert masked(f"<a><Voucher>{PIN}</Voucher></a>") == "<a><Voucher>***</Voucher></a>"
    assert masked("<a><Voucher><Serial>7</Serial></Voucher></a>") == "<a><Voucher><Serial>7</Serial></Voucher></a>"


def test_own_names_and_own_words() -> None:
    mask = XmlMask({"barcode": Shown.HIDDEN}, own_words=["NV-1002"])
    body = f"<a><Code>NV-1002</Code><Code>{PIN}</Code><barcode>{PIN}</barcode></a>"
    assert masked(body, mask) == "<a><Code>NV-1002</Code><Code>***</Code><barcode>***</barcode></a>"
    assert masked(body, mask) == masked(body, mask)


def test_whether_a_pin_was_there_stays_visible() -> None:
    assert masked("<a><Pin/><Pin> </Pin></a>") == "<a><Pin/><Pin> </Pin></a>"


def test_comments_and_instructions_are_not_shown() -> None:
    assert masked(f"<a><!-- {PIN} --><?x {PIN}?>1<![CDATA[2]]></a><!-- {PIN} -->") == "<a>12</a>"


@pytest.mark.parametrize(
    "body",
    [
        f"<a><Pin>{PIN}</Pin>".encode(),
        f"<!DOCTYPE a [<!ENTITY x '{PIN}'>]><a>&x;</a>".encode(),
        f"<Pin>{PIN}</Pin>\x00<<".encode(),
        f"<a>{PIN}</a>".encode("utf-16"),
        b"<a>" * 40 + PIN.encode() + b"</a>" * 40,
        f'{{"pin": "{PIN}"}}'.encode(),
    ],
)
def test_of_what_cannot_be_read_only_size_and_type_are_shown(body: bytes) -> None:
    assert masked(body) == f"<{len(body)} bytes, application/xml, not shown>"


def test_nothing_stays_nothing_and_much_is_cut() -> None:
    assert masked(b"") == ""
    text = masked("<a>" + "<b>xyz</b>" * 2_000 + "</a>")
    assert text.startswith("<a><b>xyz</b>")
    assert text.endswith("… (20007 characters)")
    assert len(text) < RECORDED_CHARS_MAX + 40


@given(st.binary(max_size=200), st.integers(0, 3))
def test_any_body_is_masked_without_raising(body: bytes, depth: int) -> None:
    masked(body)
    masked(b"<a><Pin>" * depth + body + b"</Pin></a>" * depth)


@given(st.text("ab<>/&'\" \n", max_size=20))
def test_no_wrapping_shows_a_pin(text: str) -> None:
    for body in (f"<a><Pin>{text}{PIN}</Pin></a>", f"<a {text} Pin='{PIN}'/>", f"<Pin><{text}>{PIN}</{text}></Pin>"):
        assert PIN not in masked(body)
