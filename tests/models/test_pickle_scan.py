import contextlib
import io
import itertools
import pickle
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caimi.models.files import PackageFile
from caimi.models.pickle_scan import is_importable, scan
from caimi.models.pickle_search import _AHEAD, _WINDOW
from caimi.models.unsafe_formats import find_code


class Malicious:
    def __reduce__(self):
        return (print, ("owned",))


def kind_of(content: bytes) -> str | None:
    found = find_code(PackageFile("x", len(content), content))
    return found.kind if found else None


def binbytes8(payload: bytes) -> bytes:
    return b"\x8e" + struct.pack("<Q", len(payload)) + payload


CALL = b"cos\nsystem\n(S'id'\ntR"
ESCAPED = {
    "a call before an error": CALL + b"\xff\xff",
    "a call without an end": CALL,
    "an instance": b"(S'id'\nios\nsystem\n.",
    "an instance, last line open": b"(S'id'\nios\nsystem",
    "an object": b"(cos\nsystem\nS'id'\no.",
    "escaped names": b"S'\\x6f\\x73'\nS'\\163ystem'\n\x93(S'id'\ntR.",
    "names in raw unicode": b"V\\u006fs\nVsystem\n\x93)R.",
    "names through the memo": b"Vos\np0\n0Vsystem\np1\n0g0\ng1\n\x93)R.",
    "names through a short memo": b"\x8c\x02osq\x00\x8c\x06systemq\x010h\x00h\x01\x93)R.",
    "names through memoize": b"\x8c\x02os\x94\x8c\x06system\x940h\x00h\x01\x93)R.",
    "the function through the memo": b"cos\nsystem\np0\n0g0\n)R.",
    "the same name twice": b"Vcode\n2\x93)R.",
    "numbers as C reads them": b"I0x10\n0L0x10\n0" + CALL + b".",
    "a string that is no ASCII": b"S'\\xff'\n0" + CALL + b".",
    "a long argument first": b"B" + struct.pack("<I", 2_000_000) + bytes(2_000_000) + b"0" + CALL,
    "a long argument, announced": b"\x80\x04" + binbytes8(bytes(2_000_000)) + b"0" + CALL + b".",
    "a long line first": b"V" + b"a" * 2_000_000 + b"\n0" + CALL + b".",
    "half a million opcodes first": b"N0" * 250_001 + CALL + b".",
    "second in a row": b"I1\n.N.(lp0\n." + CALL + b".",
    "an extension": b"\x82\x01)R.",
    "a class": b"cos\nsystem\n)\x81.",
    "a class with names": b"cos\nsystem\n)}\x92.",
    "a state for what was imported": b"cos\nsystem\n}b.",
    "a state for what was imported, and an error": b"cos\nsystem\n}b\xff",
    "an import alone": b"cantigravity\nx\n.",
}


@pytest.mark.parametrize("content", ESCAPED.values(), ids=ESCAPED.keys())
def test_no_escape_hides_a_call(content):
    assert kind_of(content) == "pickle"


def test_what_goes_on_as_a_pickle_without_end_is_taken_for_one():
    signs = scan(io.BytesIO(b"N0" * 250_001))
    assert signs.endless
    assert signs.is_pickle


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("offset", [1, 7, 512, _WINDOW - 40, _WINDOW - _AHEAD - 9, _WINDOW + 3])
def test_a_pickle_at_an_offset_is_found(protocol, offset):
    before = np.random.default_rng(offset).integers(0, 256, offset, np.uint8).tobytes()
    after = np.random.default_rng(1).integers(0, 256, 5000, np.uint8).tobytes()
    assert kind_of(before + pickle.dumps(Malicious(), protocol) + after) == "pickle"


UNANNOUNCED = {
    "an instance": b"(S'id'\nios\nsystem\n.",
    "a call": CALL + b".",
    "an object": ESCAPED["an object"],
    "a name of Python 2": b"ccommands\ngetoutput\n(S'id'\ntR.",
    "names that are pushed": b"\x8c\x02os\x8c\x06system\x93(S'id'\ntR.",
    "names that are kept": b"\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x02id\x85R.",
}


@pytest.mark.parametrize("content", UNANNOUNCED.values(), ids=UNANNOUNCED.keys())
@pytest.mark.parametrize("offset", [800, _WINDOW - _AHEAD, _WINDOW - _AHEAD + 5, _WINDOW - 3])
def test_an_unannounced_pickle_at_an_offset_is_found(content, offset):
    assert kind_of(bytes(offset) + content + bytes(2 * _AHEAD)) == "pickle"


def test_a_mark_before_a_window_is_looked_back_to():
    instance = b"(" + b"I1\n" * 84 + b"imultiprocessing.process\nProcess\n."
    for offset in range(_WINDOW - _AHEAD - len(instance) - 5, _WINDOW - _AHEAD + 5, 9):
        assert kind_of(bytes(offset) + instance + bytes(2 * _AHEAD)) == "pickle"


def test_a_long_pickle_of_data_at_an_offset_is_found():
    data = pickle.dumps({"w": [0.5] * 30_000})
    assert kind_of(b"\x00" * 99 + data) == "pickle"


EXTENSION = b"\x82\x01)R"


def test_a_call_by_a_number_is_chance_at_an_offset():
    """About one of four gigabytes of random bytes has such a call: large weights are no pickles."""
    assert kind_of(EXTENSION + b".") == "pickle"
    assert kind_of(b"weights" * 9 + b"\x80\x02" + EXTENSION + b"." + bytes(99)) is None


@pytest.mark.parametrize("behind", [b"0" + CALL, b"N0" * 16])
def test_what_stands_behind_a_call_by_a_number_is_looked_at(behind):
    assert kind_of(b"weights" * 9 + b"\x80\x02" + EXTENSION + behind + b"\xff") == "pickle"
    assert kind_of(b"weights" * 9 + b"\x80\x02" + EXTENSION + b"0" + b"\xff") is None


def npy(descr: str) -> bytes:
    header = f"{{{descr}, 'fortran_order': False, 'shape': (1,), }}".ljust(117).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(16)


@pytest.mark.parametrize(
    "descr",
    [
        *("'descr': '|O'", '"descr": "O"', "'descr': '|\\x4f'", "'de' 'scr': '|' 'O'"),
        *("'descr': [('a', [('b', 'O')])]", "'descr': ('|O', (2,))", "'descr': oOps"),
    ],
)
@pytest.mark.parametrize("before", [b"", b"\x00" * 77], ids=["first", "behind"])
def test_an_array_of_objects_is_found_however_it_is_written(descr, before):
    assert kind_of(before + npy(descr)) == "pickle"


def test_arrays_of_numbers_are_welcome():
    assert kind_of(npy("'descr': '<f4'") * 3) is None
    assert kind_of(npy("'descr': [('a', '<f4'), ('b', '<U3')]")) is None


@pytest.mark.parametrize("kind", ["float32", "float16", "int8", "uint8", "int64"])
def test_weights_are_welcome(kind):
    """Eight million bytes of each: what begins like a pickle by chance ends soon."""
    drawn = np.random.default_rng(3).normal(scale=30, size=8_000_000 // np.dtype(kind).itemsize)
    assert kind_of(drawn.astype(kind).tobytes()) is None


@pytest.mark.parametrize("byte", [0x00, 0x28, 0x29, 0x4E, 0x5D, 0x7D, 0x80, 0x81, 0xFF])
def test_weights_all_alike_are_welcome(byte):
    assert kind_of(bytes([byte]) * 3_000_000) is None


PIECES = (
    *(b"\x80\x02", b"\x80\x04", b"(", b"0", b"1", b"2", b".", b"N", b"]", b"}", b")", b"t", b"l"),
    *(b"\x85", b"\x86", b"\x87", b"a", b"e", b"s", b"u", b"b", b"R", b"\x81", b"\x92", b"o"),
    *(b"\x93", b"\x94", b"p0\n", b"p1\n", b"g0\n", b"g1\n", b"q\x00", b"h\x00", b"h\x01"),
    *(b"Vos\n", b"S'os'\n", b"S'\\x6fs'\n", b"\x8c\x02os", b"U\x02os", b"X\x02\0\0\0os"),
    *(
        b"cos\nsystem\n",
        b"ios\nsystem\n",
        b"cno module\nx\n",
        b"I1\n",
        b"I0x1\n",
        b"L1L\n",
        b"K\x05",
    ),
    *(b"F1.5\n", b"C\x01a", b"\x90", b"\x8f", b"\x91", b"d", b"Px\n", b"Q", b"J\0\0\0\0"),
    *(b"\x95\x02\0\0\0\0\0\0\0", b"S'\\xff'\n", b"\x8a\x01\x01", b"\x88", b"\x89", b"\x98"),
)


class Watching(pickle.Unpickler):
    """Python's own unpickler, which notes what it would have called."""

    def __init__(self, content: bytes, encoding: str) -> None:
        super().__init__(io.BytesIO(content), encoding=encoding)
        self.called = False

    def find_class(self, module, name):
        if not is_importable(module, name):
            raise pickle.UnpicklingError

        class Called:
            def __new__(cls, *_, **__):
                self.called = True
                return super().__new__(cls)

        return Called


@settings(max_examples=600)
@given(st.lists(st.sampled_from(PIECES), max_size=24), st.sampled_from(["ASCII", "latin1"]))
def test_whatever_pythons_unpickler_would_call_is_found(pieces, encoding):
    content = b"".join(pieces)
    watching = Watching(content, encoding)
    with contextlib.suppress(Exception):
        for _ in range(3):
            watching.load()
    if watching.called:
        assert scan(io.BytesIO(content)).is_pickle


def test_the_watcher_sees_calls():
    seen = 0
    for parts in itertools.product(
        [b"cos\nsystem\n", b"(ios\nsystem\n", b")", b"R", b"}"], repeat=3
    ):
        watching = Watching(b"".join(parts) + b".", "ASCII")
        with contextlib.suppress(Exception):
            watching.load()
        seen += watching.called
    assert seen >= 6


def test_what_begins_as_a_zip_does_is_no_pickle_by_what_stands_behind():
    looks_called = b"PK\x03\x04\x14\x00\n)R."  # a persistent name, an empty tuple, a call
    assert not scan(io.BytesIO(looks_called)).is_pickle
    assert scan(io.BytesIO(b"cos\nsystem\n)R.")).is_pickle


def test_a_protocol_that_is_not_said_first_or_a_registered_number_is_there_by_chance():
    assert not scan(io.BytesIO(b"]\x80\x05](}")).is_pickle
    assert scan(io.BytesIO(b"\x80\x05](}")).is_pickle
    assert not scan(io.BytesIO(b"]\x82\x01.")).is_pickle
