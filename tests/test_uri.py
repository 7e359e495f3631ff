"""A model's URI has one form."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caimi.errors.ids import InvalidModelUri
from caimi.uri import ModelUri, is_alias, is_version

ID = "0x" + "ab" * 32
ledgers = st.from_regex(r"\Aeip155:[1-9][0-9]{0,20}\Z") | st.from_regex(
    r"\Acosmos:[-_a-zA-Z0-9]{1,32}\Z"
)
selectors = (
    st.none()
    | st.from_regex(r"\A[0-9][0-9A-Za-z.+-]{0,63}\Z")
    | st.from_regex(r"\A[a-z][a-z0-9-]{0,63}\Z")
)
uris = st.builds(ModelUri, ledgers, st.binary(min_size=32, max_size=32), selectors)


@given(uris)
def test_a_uri_round_trips(uri: ModelUri) -> None:
    assert ModelUri.parse(str(uri)) == uri


@given(st.text(max_size=300))
def test_any_other_text_is_refused_by_name(text: str) -> None:
    with contextlib.suppress(InvalidModelUri):
        assert str(ModelUri.parse(text)) == text


@given(uris, st.data())
def test_what_parses_is_written_as_it_was_read(uri: ModelUri, data: st.DataObject) -> None:
    text = str(uri)
    place = data.draw(st.integers(0, len(text) - 1))
    changed = text[:place] + data.draw(st.characters(codec="ascii")) + text[place + 1 :]
    with contextlib.suppress(InvalidModelUri):
        assert str(ModelUri.parse(changed)) == changed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "caimi:",
        f"caimi:eip155:1:{ID[2:]}",
        f"caimi:eip155:1:{ID[:-1]}",
        f"caimi:eip155:1:{ID}0",
        f"caimi:eip155:1:{ID.upper()}",
        f"caimi:eip155:1:0x{'AB' * 32}",
        f"caimi:eip155:01:{ID}",
        f"caimi:eip155:0:{ID}",
        f"caimi:eip155:{ID}",
        f"caimi:e:1:{ID}",
        f"CAIMI:eip155:1:{ID}",
        f" caimi:eip155:1:{ID}",
        f"caimi:eip155:1:{ID}\n",
        f"caimi:eip155:1:{ID}@",
        f"caimi:eip155:1:{ID}@Latest",
        f"caimi:eip155:1:{ID}@-1",
        f"caimi:eip155:1:{ID}@1.0\n",
        f"caimi:eip155:1:{ID}@1.0@2.0",
        f"caimi:eip155:1:{ID}@1 0",
        f"caimi:eip155:1:{ID}@{'1' * 65}",
        f"caimi:eip155:1:{ID}@{'1' * 300}",
    ],
)
def test_a_malformed_uri_is_refused(text: str) -> None:
    with pytest.raises(InvalidModelUri):
        ModelUri.parse(text)


def test_a_model_id_of_another_length_is_refused() -> None:
    with pytest.raises(InvalidModelUri):
        ModelUri("eip155:1", bytes(31))


def test_a_selector_is_exchanged() -> None:
    uri = ModelUri.parse(f"caimi:eip155:1:{ID}@stable")
    assert str(uri.with_selector("1.2.0")) == f"caimi:eip155:1:{ID}@1.2.0"
    assert str(uri.with_selector(None)) == f"caimi:eip155:1:{ID}"
    with pytest.raises(InvalidModelUri):
        uri.with_selector("No")


@given(st.text(max_size=70))
def test_no_selector_is_both_a_version_and_an_alias(text: str) -> None:
    assert not (is_version(text) and is_alias(text))
