"""JSON from outside: nothing that a peer sends ends the process."""

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caimi.json_text import MAX_DEPTH, read_json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text('[]{}"\\a'),
    lambda inner: st.lists(inner) | st.dictionaries(st.text('[{"\\'), inner),
)


@given(JSON)
def test_what_json_writes_is_read(document):
    text = json.dumps([document] * 60)
    assert read_json(text) == read_json(text.encode()) == json.loads(text)


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")])
def test_the_depth_is_bounded_exactly(opening, closing):
    levels = MAX_DEPTH // (opening.count("[") + opening.count("{"))
    assert read_json(opening * levels + "1" + closing * levels)
    with pytest.raises(RecursionError, match="nested"):
        read_json(f"[{opening * levels}1{closing * levels}]")


def test_brackets_in_strings_and_beside_each_other_are_no_depth():
    for document in (["[" * 1000], ['\\"[{' * 1000], [[1]] * 1000, {"[" * 500: [{}] * 500}):
        assert read_json(json.dumps(document)) == document


def test_the_process_survives_what_would_exhaust_its_stack():
    program = (
        "import sys; sys.setrecursionlimit(100_000)\n"
        "from caimi.json_text import read_json\n"
        "for text in ('[' * 10**6, '{\"a\":' * 10**6, '\"\\\\\"' + '[' * 10**6):\n"
        "    try: read_json(text)\n"
        "    except RecursionError: print('refused')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert (done.returncode, done.stdout.split()) == (0, [b"refused"] * 3)


@pytest.mark.parametrize("text", ["", "[", "[]]", b"\xff", "[1,]", '["\n"]', "]" * 200 + "[" * 200])
def test_what_is_no_json_is_a_value_error(text):
    with pytest.raises(ValueError):  # noqa: PT011 - its subclasses differ by the defect
        read_json(text)
