"""Answers that are bombs for whoever reads or masks them: refused in milliseconds, whatever they hold."""

import time
from collections.abc import Callable
from typing import Final

import pytest
from msgspec import Struct

from voucherswitch.message.marks import FREE_TEXT_CHARS_MAX, without_codes
from voucherswitch.providers.contract.answers import BadAnswer, decoded
from voucherswitch.providers.contract.transport.masking import JsonMask
from voucherswitch.providers.contract.transport.xml import DEPTH_MAX, parse
from voucherswitch.providers.contract.transport.xml_masking import XmlMask

SIZE: Final = 65_536  # the largest answer by default
# In milliseconds of this thread's processor time, many times what a reader needs: a bomb needs minutes.
BRIEFLY_MS: Final = 1_000


class Answer(Struct):
    amount: float | None = None
    code: str | None = None


def briefly(work: Callable[[], object]) -> None:
    started = time.thread_time()
    work()
    assert (time.thread_time() - started) * 1_000 < BRIEFLY_MS


def laughs(levels: int = 10) -> bytes:
    entities = "".join(f'<!ENTITY a{level} "{f"&a{level - 1};" * 10 if level else "lol"}">' for level in range(levels))
    return f'<?xml version="1.0"?><!DOCTYPE l [{entities}]><l>&a{levels - 1};</l>'.encode()


XML: Final = {
    "billion laughs": laughs(),
    "laughs in UTF-16": laughs().decode().encode("utf-16"),
    "laughs that say UTF-16": laughs().replace(b'"1.0"', b'"1.0" encoding="UTF-16"'),
    "an external entity": b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r>&x;</r>',
    "an external DTD": b'<!DOCTYPE r SYSTEM "http://127.0.0.1:9/r.dtd"><r/>',
    "a parameter entity": b'<!DOCTYPE r [<!ENTITY % x SYSTEM "http://127.0.0.1:9/"> %x;]><r/>',
    "an unknown entity": b"<r>&unknown;</r>",
    "elements too deep": b"<a>" * (DEPTH_MAX + 1) + b"</a>" * (DEPTH_MAX + 1),
    "elements without end": b"<a>" * (SIZE // 3),
    "a text of megabytes": b"<r>" + b"x" * 15_000_000 + b"</r>",
    "NUL": b"<r>a\x00b</r>",
    "a reference to NUL": b"<r>&#0;</r>",
    "invalid UTF-8": b"<r>\xff\xfe</r>",
    "two documents": b"<r/><r/>",
    "an attribute twice": b'<r a="1" a="2"/>',
    "nothing": b"",
}


@pytest.mark.parametrize("kind", XML)
def test_an_xml_bomb_is_refused_at_once_and_shown_by_size_only(kind: str) -> None:
    body = XML[kind]

    def read() -> None:
        with pytest.raises(BadAnswer):
            parse(body)

    briefly(read)
    briefly(lambda: XmlMask()(body, "text/xml"))
    if body:
        assert XmlMask()(body, "text/xml") == f"<{len(body)} bytes, text/xml, not shown>"


def test_xinclude_is_text_like_any_other() -> None:
    """Nothing is fetched: the element stays as it came."""
    include = '<r xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="file:///etc/hostname" parse="text"/></r>'
    assert len(parse(include.encode())) == 1
    assert "file:///etc/hostname" in XmlMask()(include.encode(), "text/xml")


JSON: Final = {
    "arrays without end": b"[" * SIZE,
    "deep arrays": b"[" * (SIZE // 2) + b"]" * (SIZE // 2),
    "deep objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "deep where nobody looks": b'{"code":"1","x":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    "a number of 60,000 digits": b'{"amount":' + b"9" * 60_000 + b"}",
    "a number beyond all floats": b'{"amount":1e999999999}',
    "NUL": b'{"code":"a\x00b"}',
    "invalid UTF-8": b'{"code":"\xff\xfe"}',
    "half a surrogate": b'{"code":"\\ud800"}',
    "nothing": b"",
    "two documents": b"{}{}",
    "NaN": b'{"amount":NaN}',
}


@pytest.mark.parametrize("kind", JSON)
def test_a_json_bomb_is_refused_at_once(kind: str) -> None:
    def read() -> None:
        with pytest.raises(BadAnswer, match=r"^the answer cannot be read$"):
            decoded(JSON[kind], Answer)

    briefly(read)
    briefly(lambda: JsonMask()(JSON[kind], "application/json"))


MANY: Final = 3_500


@pytest.mark.parametrize("times", [1, 20])
def test_thousands_of_secrets_in_one_answer_are_not_looked_for_one_by_one(times: int) -> None:
    """Each would be looked for in all of the text: minutes, in an answer of the largest size that can be set."""
    pins = [f"{number}" for number in range(10**9, 10**9 + times * MANY)]
    json = b'{"code":["' + b'","'.join(pin.encode() for pin in pins) + b'"]}'
    xml = b"<r>" + b"".join(f"<pin>{pin}</pin>".encode() for pin in pins) + b"</r>"
    for body, mask in ((json, JsonMask()), (xml, XmlMask())):
        briefly(lambda body=body, mask=mask: mask(body, None))  # type: ignore[misc]
        assert mask(body, "a/b") == f"<{len(body)} bytes, a/b, not shown>"


@pytest.mark.parametrize("unit", ["A-", "-", "1-", "A1-", "1.", " ", "A", "1", "AB1 ", "1234-", "ABCD-"])
def test_no_free_text_takes_long_to_clear_of_codes(unit: str) -> None:
    briefly(lambda: without_codes((unit * SIZE)[:SIZE]))
    briefly(lambda: without_codes((unit * SIZE)[:FREE_TEXT_CHARS_MAX]))


def test_a_text_of_pages_is_hidden_whole() -> None:
    assert without_codes("a " * (FREE_TEXT_CHARS_MAX // 2)) == "a " * (FREE_TEXT_CHARS_MAX // 2)
    assert without_codes("a " * FREE_TEXT_CHARS_MAX) == "***"
