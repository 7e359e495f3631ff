"""Models' names in the protocol are one to one with URIs, and need no escaping."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caimi.errors.ids import InvalidModelUri
from caimi.inference.oip.names import protocol_name, uri_of
from caimi.uri import ModelUri


def _is_ledger(text: str) -> bool:
    try:
        ModelUri(text, bytes(32))
    except InvalidModelUri:
        return False
    return True


URIS = st.builds(
    ModelUri,
    st.one_of(
        st.integers(1, 10**12).map(lambda number: f"eip155:{number}"),
        st.from_regex(r"[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}", fullmatch=True),
    ).filter(_is_ledger),
    st.binary(min_size=32, max_size=32),
    st.none()
    | st.from_regex(r"[0-9][0-9A-Za-z.+-]{0,20}", fullmatch=True)
    | st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True),
)


@given(URIS)
def test_a_name_stands_for_one_model(uri):
    name = protocol_name(uri)
    assert quote(name, safe="") == name
    assert uri_of(name, uri.selector or "") == uri


@pytest.mark.parametrize(
    "name",
    [
        "", "resnet50", "caimi", "eip155.1", "eip155.1.0x12", "eip155:1.0x" + "00" * 32,
        "eip155.1.0x" + "AB" * 32, "eip155.1.0x" + "00" * 32 + "@1.0.0", "..", "eip155..1.0x",
        "caimi:eip155:1:0x" + "00" * 32, "eip155.1:2.0x" + "00" * 32,
        "eip155.1.0x" + "00" * 32 + ".1", "a" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_name_is_refused(name):
    with pytest.raises(InvalidModelUri):
        uri_of(name)


@pytest.mark.parametrize("version", ["@", "1 0", "/", "Latest", "1" * 65])
def test_what_is_no_version_is_refused(version):
    with pytest.raises(InvalidModelUri):
        uri_of("eip155.1.0x" + "00" * 32, version)
