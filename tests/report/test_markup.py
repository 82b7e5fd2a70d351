from __future__ import annotations

import json
import math
from html import unescape
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halpose.report.markup import Markup, decimal, element, escape, json_data

NASTY = ["</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "a & b", '" onload="x', "\u2028\u2029"]


@pytest.mark.parametrize("text", NASTY)
def test_text_and_attributes_are_escaped(text: str) -> None:
    written = element("p", {"title": text}, text)
    assert written.count("<") == 2 and written.count(">") == 2
    assert written.count('"') == 2
    assert unescape(written) == f'<p title="{text}">{text}</p>'


def test_markup_is_not_escaped_again() -> None:
    inner = element("b", {}, "x < y")
    assert element("p", {}, inner, " & z") == "<p><b>x &lt; y</b> &amp; z</p>"


def test_attributes_left_out_bare_and_numeric() -> None:
    written = element("input", {"a": None, "b": False, "c": True, "d": 0.5, "e": 0})
    assert written == '<input c d="0.5" e="0">'


def test_characters_that_html_forbids_are_replaced() -> None:
    assert escape("a\x00b\x1bc\ud800d\n") == "a\ufffdb\ufffdc\ufffdd\n"
    escape("a\x00b\ud800").encode("utf-8")


@given(st.floats(-1e5, 1e5), st.integers(0, 4))
def test_decimal_is_close_short_and_plain(value: float, digits: int) -> None:
    text = decimal(value, digits)
    assert abs(float(text) - value) <= 0.5 * 10**-digits + 1e-9
    assert "e" not in text and text != "-0"
    assert "." not in text or not text.endswith(("0", "."))


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(values)
def test_json_survives_and_cannot_leave_its_script(value: Any) -> None:
    text = json_data(value)
    assert not set(text) & set("<>&\u2028\u2029") and text.isascii()
    assert json.loads(text) == _without_infinities(value)


def test_not_a_number_becomes_null() -> None:
    assert json_data({"a": [math.nan, math.inf, 1.5]}) == '{"a":[null,null,1.5]}'


def test_markup_is_text() -> None:
    assert isinstance(Markup("x"), str)


def _without_infinities(value: Any) -> Any:
    if isinstance(value, float) and math.isinf(value):
        return None
    if isinstance(value, list):
        return [_without_infinities(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_infinities(item) for key, item in value.items()}
    return value
