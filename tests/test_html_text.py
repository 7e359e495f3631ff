"""Whatever a value holds, a notebook shows it and does not obey it."""

from html.parser import HTMLParser

import pytest

from caimi import html_text

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</td></tr></table><h1>owned</h1>",
    "<!-- ",
    "&lt;script&gt;",
    "javascript:alert(1)",
    "<style>*{display:none}</style>",
    "\x00<b>",
]


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str]] = set()
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= set(attrs)

    def handle_comment(self, data):
        self.tags.add("comment")

    def handle_data(self, data):
        self.text += data


PLAIN = Page(html_text.facts("t", {"a": "b"})).attributes | {("style", "text-align: left")}


@pytest.mark.parametrize("value", HOSTILE)
def test_no_value_becomes_a_tag_or_an_attribute(value):
    for text in (
        html_text.facts(value, {value: value}),
        html_text.table(value, (value,), [(value,)]),
    ):
        page = Page(text)
        assert page.tags <= {"table", "caption", "b", "tr", "th", "td"}
        assert page.attributes <= PLAIN
        assert page.text.count(value.replace("\x00", "\N{REPLACEMENT CHARACTER}")) == 3


@pytest.mark.parametrize("value", ["\N{RIGHT-TO-LEFT OVERRIDE}", "\x1b", "\x9b", "\x7f", "\x00"])
def test_what_turns_or_hides_text_is_shown_as_what_cannot_be_shown(value):
    assert html_text.shown(f"a{value}b") == "a\N{REPLACEMENT CHARACTER}b"


def test_lines_stay_lines():
    assert html_text.shown("one\ntwo\tthree") == "one\ntwo\tthree"


def test_what_is_empty_is_left_out_and_zero_is_not():
    page = Page(html_text.facts("t", {"nothing": "", "none": 0}))
    assert "nothing" not in page.text
    assert "none0" in page.text


def test_a_long_table_ends_and_says_how_much_is_left():
    text = html_text.table("t", ("n",), [(n,) for n in range(html_text.MAX_ROWS + 7)])
    assert text.count("<tr>") == html_text.MAX_ROWS + 2
    assert "and 7 more" in text
