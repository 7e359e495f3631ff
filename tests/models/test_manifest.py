import contextlib
import dataclasses
import json
import math

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st
from sealed_world import PUBLISHER, SIGNER

from caimi.errors import CaimiError
from caimi.errors.ids import InvalidAccountId, InvalidLedgerId
from caimi.errors.models import (
    ManifestInconsistent,
    ManifestMalformed,
    ManifestNotCanonical,
    ManifestTooLarge,
    PackageError,
    UnsafePath,
)
from caimi.models.ancestry import Contributor
from caimi.models.card import Dataset, ModelCard
from caimi.models.manifest import FileEntry, Manifest
from caimi.models.sealed_form import (
    MIN_CHUNK_BYTES,
    Capsule,
    SealedForm,
    SignatureRecord,
    chunk_count,
)
from caimi.models.strict_json import encode
from caimi.models.tensor import DTYPES, Tensor
from caimi.storage import Cid, HashFunction

TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=40
)
DIGEST = st.binary(min_size=32, max_size=32)
CONTRIBUTORS = st.builds(
    Contributor,
    account=st.sampled_from([PUBLISHER, "fabric:models:org1.alice", "local:one:bob"]),
    role=st.from_regex(r"[a-z][a-z0-9-]{0,31}", fullmatch=True),
)
NAMES = st.from_regex(r"[a-z0-9]{1,8}x", fullmatch=True)


@st.composite
def manifests(draw):
    paths = sorted(draw(st.sets(NAMES, min_size=1, max_size=4)))
    chunk = draw(st.sampled_from([MIN_CHUNK_BYTES, 1 << 20]))
    entries = [FileEntry(p, draw(st.integers(0, 5 * MIN_CHUNK_BYTES)), draw(DIGEST)) for p in paths]
    function = draw(st.sampled_from(HashFunction))
    chunks = tuple(
        tuple(Cid(draw(DIGEST), function) for _ in range(chunk_count(e.size, chunk)))
        for e in entries
    )
    shape = st.none() | st.lists(st.integers(0, 2**53 - 1) | st.sampled_from(["N", "batch", "?"]))
    tensors = st.builds(
        Tensor,
        TEXT,
        st.sampled_from(sorted(DTYPES)),
        shape.map(lambda s: None if s is None else tuple(s)),
    )
    bundle = draw(DIGEST)
    return Manifest(
        name=draw(TEXT),
        version=draw(st.from_regex(r"[0-9][0-9A-Za-z.+-]{0,20}", fullmatch=True)),
        model_id=draw(DIGEST),
        publisher=PUBLISHER,
        parents=tuple(draw(st.lists(DIGEST, max_size=3, unique=True))),
        contributors=tuple(draw(st.lists(CONTRIBUTORS, max_size=3, unique=True))),
        files=tuple(entries),
        framework=draw(TEXT),
        licence=draw(st.sampled_from(["MIT", "Apache-2.0 OR MIT", "LicenseRef-mine"])),
        inputs=tuple(draw(st.lists(tensors, max_size=2))),
        outputs=tuple(draw(st.lists(tensors, max_size=2))),
        datasets=tuple(
            draw(
                st.lists(
                    st.builds(
                        Dataset, TEXT, DIGEST, st.none() | TEXT, st.sampled_from([None, "MIT"])
                    ),
                    max_size=2,
                )
            )
        ),
        metrics=draw(
            st.dictionaries(TEXT, st.floats(allow_nan=False, allow_infinity=False), max_size=3)
        ),
        card=ModelCard(description=draw(TEXT), limitations=draw(st.just("") | TEXT)),
        sealing=SealedForm(chunk, draw(st.binary(min_size=16, max_size=16)), chunks),
        signature=SignatureRecord(Cid(bundle), bundle, SIGNER.public_key),
        capsule=Capsule(draw(st.binary(min_size=1, max_size=50)), b"\x02" * 33),
    )


def example() -> Manifest:
    digest = bytes(range(32))
    return Manifest(
        name="tumour-mlp",
        version="1.0.0",
        model_id=digest,
        publisher=PUBLISHER,
        parents=(bytes(32), digest),
        contributors=(Contributor("fabric:models:org1.alice", "data"),),
        files=(FileEntry("a.onnx", 10, digest), FileEntry("d/b", MIN_CHUNK_BYTES + 1, digest)),
        framework="onnx",
        licence="Apache-2.0",
        inputs=(Tensor("X", "float32", ("N", 30)),),
        metrics={"accuracy": 0.97},
        datasets=(Dataset("wdbc", digest, uri="https://example.org/wdbc", licence="CC-BY-4.0"),),
        sealing=SealedForm(
            MIN_CHUNK_BYTES, bytes(16), ((Cid(digest),), (Cid(digest), Cid(bytes(32))))
        ),
        signature=SignatureRecord(Cid(digest), digest, SIGNER.public_key),
        capsule=Capsule(b"capsule", b"\x02" * 33),
    )


EXAMPLE = example()


@settings(max_examples=60, deadline=None)
@given(manifests())
def test_a_manifest_survives_its_canonical_bytes(manifest):
    again = Manifest.parse(manifest.canonical_bytes)
    assert again == manifest
    assert again.digest == manifest.digest
    as_floats = json.loads(manifest.canonical_bytes, parse_int=float)
    assert manifest.canonical_bytes == rfc8785.dumps(as_floats)
    assert manifest.cid == Cid.of(manifest.canonical_bytes)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_changed_byte_never_gives_the_same_manifest(data):
    raw = EXAMPLE.canonical_bytes
    index = data.draw(st.integers(0, len(raw) - 1))
    changed = raw[:index] + bytes([data.draw(st.integers(0, 255))]) + raw[index + 1 :]
    try:
        parsed = Manifest.parse(changed)
    except CaimiError:
        return
    assert parsed.canonical_bytes == changed
    assert (parsed == EXAMPLE) == (changed == raw)


@settings(max_examples=100)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_by_name(raw):
    with pytest.raises(PackageError):
        Manifest.parse(raw)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**60) | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


def leaves(value, place=()):
    yield place
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*place, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*place, index))


PLACES = sorted(leaves(EXAMPLE.to_json()), key=str)


def edited(place, value):
    tree = json.loads(EXAMPLE.canonical_bytes)
    if not place:
        return value
    target = tree
    for step in place[:-1]:
        target = target[step]
    target[place[-1]] = value
    return tree


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(PLACES), JSON)
def test_any_value_in_any_place_is_read_or_refused_by_name(place, value):
    try:
        raw = rfc8785.dumps(edited(place, value))
    except rfc8785.CanonicalizationError:
        return
    with contextlib.suppress(CaimiError):
        assert Manifest.parse(raw).canonical_bytes == raw


@pytest.mark.parametrize("place", [p for p in PLACES if p and isinstance(p[-1], str)], ids=str)
def test_an_unknown_field_beside_any_other_is_refused(place):
    tree = edited((), json.loads(EXAMPLE.canonical_bytes))
    target = tree
    for step in place[:-1]:
        target = target[step]
    if place[:-1] == ("metrics",):
        target["surplus"] = "not a number"
    else:
        target["surplus"] = 1
    with pytest.raises(ManifestMalformed):
        Manifest.parse(rfc8785.dumps(tree))


OPTIONAL = {("datasets", 0, "uri"), ("datasets", 0, "licence"), ("metrics", "accuracy")}


@pytest.mark.parametrize(
    "place", [p for p in PLACES if p and isinstance(p[-1], str) and p not in OPTIONAL], ids=str
)
def test_a_missing_field_is_refused(place):
    tree = json.loads(EXAMPLE.canonical_bytes)
    target = tree
    for step in place[:-1]:
        target = target[step]
    del target[place[-1]]
    with pytest.raises(ManifestMalformed):
        Manifest.parse(rfc8785.dumps(tree))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("schema",), "caimi/manifest/v3"),
        (("schema",), "caimi/manifest/v1"),
        (("schema",), 2),
        (("name",), ""),
        (("name",), "x" * 129),
        (("name",), "bell\x07"),
        (("version",), "v1"),
        (("version",), "1" * 65),
        (("version",), "1 0"),
        (("model_id",), "0x" + "0" * 63),
        (("model_id",), "0x" + "A" * 64),
        (("model_id",), "0" * 66),
        (("parents", 0), "0" * 63),
        (("parents", 0), "A" * 64),
        (("parents", 0), None),
        (("parents",), None),
        (("parents",), ["00" * 32, "00" * 32]),
        (("parents",), [f"{number:064x}" for number in range(17)]),
        (("contributors",), [{"account": "local:one:bob", "role": "data"}] * 2),
        (
            ("contributors",),
            [{"account": "local:one:bob", "role": f"r{number}"} for number in range(65)],
        ),
        (("contributors", 0, "role"), ""),
        (("contributors", 0, "role"), "Data"),
        (("contributors", 0, "role"), "a" * 33),
        (("contributors", 0, "account"), PUBLISHER.lower()),
        (("files", 0, "size"), -1),
        (("files", 0, "size"), 1.5),
        (("files", 0, "size"), True),
        (("files", 0, "size"), "10"),
        (("files", 0, "sha256"), "00"),
        (("files", 0, "cid"), "bafy"),
        (("licence",), "not a licence!"),
        (("metrics",), {"x": "1"}),
        (("metrics",), {"x": True}),
        (("metrics",), {str(i): 1 for i in range(257)}),
        (("card",), {"weather": "fine"}),
        (("card",), {"description": ""}),
        (("card",), {"description": "x" * 16_385}),
        (("inputs", 0, "dtype"), "float33"),
        (("inputs", 0, "shape"), [1.5]),
        (("inputs", 0, "shape"), [True]),
        (("inputs", 0, "shape"), [-1]),
        (("inputs", 0, "shape"), [""]),
        (("inputs", 0, "shape"), "N"),
        (("inputs", 0, "shape"), [1] * 33),
        (("sealing", "algorithm"), "AES-128-CBC"),
        (("sealing", "chunk_bytes"), MIN_CHUNK_BYTES - 1),
        (("sealing", "chunk_bytes"), 16 * 1024 * 1024 + 1),
        (("sealing", "files", 0, "chunks"), ["nonsense"]),
        (("sealing", "files", 0, "chunks"), [1]),
        (("capsule", "ciphertext"), "="),
        (("capsule", "ciphertext"), "AB"),
        (("capsule", "ciphertext"), "+/+/"),
        (("capsule", "ciphertext"), "A" * 6000),
        (("capsule", "group_key"), "0"),
        (("files",), []),
        (("files",), {}),
    ],
)
def test_a_field_out_of_bounds_is_refused(place, value):
    with pytest.raises(ManifestMalformed):
        Manifest.parse(rfc8785.dumps(edited(place, value)))


SEALED, CAPSULE = EXAMPLE.sealing, EXAMPLE.capsule


@pytest.mark.parametrize(
    ("part", "field", "fitting"),
    [
        (SEALED, "chunk_bytes", (64 * 1024, 16 * 1024 * 1024)),
        (SEALED, "key_fingerprint", (bytes(16),)),
        (CAPSULE, "ciphertext", (b"c", bytes(4096))),
        (CAPSULE, "group_key", (b"k", bytes(256))),
    ],
    ids=str,
)
def test_a_sealed_form_or_capsule_at_its_bounds_is_made(part, field, fitting):
    for value in fitting:
        assert getattr(dataclasses.replace(part, **{field: value}), field) == value


@pytest.mark.parametrize(
    ("part", "field", "value", "refusal"),
    [
        (SEALED, "chunk_bytes", 64 * 1024 - 1, "Chunks of 65535 bytes"),
        (SEALED, "chunk_bytes", 16 * 1024 * 1024 + 1, "Chunks of 16777217 bytes"),
        (SEALED, "key_fingerprint", bytes(15), "fingerprint has not 16 bytes"),
        (SEALED, "key_fingerprint", bytes(17), "fingerprint has not 16 bytes"),
        (CAPSULE, "ciphertext", b"", "capsule of 0 bytes"),
        (CAPSULE, "ciphertext", bytes(4097), "capsule of 4097 bytes"),
        (CAPSULE, "group_key", b"", "group key of 0 bytes"),
        (CAPSULE, "group_key", bytes(257), "group key of 257 bytes"),
    ],
    ids=str,
)
def test_a_sealed_form_or_capsule_out_of_bounds_is_never_made(part, field, value, refusal):
    with pytest.raises(ManifestMalformed, match=refusal):
        dataclasses.replace(part, **{field: value})


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("files", 0, "cid"), str(Cid(bytes(32)))),
        (("files", 0, "size"), MIN_CHUNK_BYTES * 2),
        (("files", 1, "size"), 1),
        (("sealing", "files"), [{"chunks": [str(Cid(bytes(32)))]}]),
        (("sealing", "files", 0, "chunks"), []),
        (("signature", "sha256"), "00" * 32),
    ],
)
def test_parts_that_contradict_each_other_are_refused(place, value):
    with pytest.raises(ManifestInconsistent):
        Manifest.parse(rfc8785.dumps(edited(place, value)))


@pytest.mark.parametrize(
    "publisher", ["", "alice", "eip155:1", "eip155:1:0x00", "EIP155:1:0x" + "0" * 40]
)
def test_a_publisher_that_is_no_account_is_refused(publisher):
    with pytest.raises(CaimiError):
        Manifest.parse(rfc8785.dumps(edited(("publisher",), publisher)))


@pytest.mark.parametrize("path", ["../a", "/a", "a/../b", "C:a", "a\\b", "nul", "z\x00"])
def test_a_path_that_leaves_the_package_is_refused(path):
    with pytest.raises((UnsafePath, ManifestMalformed)):
        Manifest.parse(rfc8785.dumps(edited(("files", 0, "path"), path)))


def test_files_out_of_order_or_twice_are_refused():
    first, second = EXAMPLE.files
    with pytest.raises(ManifestMalformed):
        dataclasses.replace(EXAMPLE, files=(second, first))
    twice = dataclasses.replace(first, path="A.ONNX")
    with pytest.raises(UnsafePath):
        dataclasses.replace(EXAMPLE, files=(twice, first))


RAW = EXAMPLE.canonical_bytes


@pytest.mark.parametrize(
    "raw",
    [
        b" " + RAW,
        RAW + b"\n",
        RAW.replace(b'":', b'": ', 1),
        RAW.replace(b"0.97", b"0.970"),
        RAW.replace(b"0.97", b"97e-2"),
        RAW.replace(b'"size":10', b'"size":10.0'),
        RAW.replace(b"tumour", b"\\u0074umour"),
        json.dumps(json.loads(RAW)).encode(),
    ],
)
def test_another_spelling_of_the_same_manifest_is_refused(raw):
    assert raw != RAW
    with pytest.raises(ManifestNotCanonical):
        Manifest.parse(raw)


@pytest.mark.parametrize(
    "number", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"9" * 400, b"9" * 9000]
)
def test_numbers_that_json_does_not_know_are_refused(number):
    with pytest.raises(ManifestMalformed):
        Manifest.parse(RAW.replace(b"0.97", number))


def test_a_duplicate_key_is_refused_and_named():
    with pytest.raises(ManifestMalformed, match="'name' appears twice"):
        Manifest.parse(RAW.replace(b'"name":"tumour-mlp"', b'"name":"x","name":"tumour-mlp"', 1))


def test_many_keys_before_a_duplicate_do_not_take_long():
    raw = b"{" + b",".join(b'"%d":0' % i for i in range(200_000)) + b',"0":0}'
    with pytest.raises(ManifestMalformed):
        Manifest.parse(raw)


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b"\xff", b'"\\ud800"', b"{}"])
def test_what_is_no_manifest_is_refused(raw):
    with pytest.raises(ManifestMalformed):
        Manifest.parse(raw)


def test_an_oversized_manifest_is_refused_unread():
    with pytest.raises(ManifestTooLarge):
        Manifest.parse(b"[" * (16 * 1024 * 1024 + 1))


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_a_deeply_nested_manifest_is_refused(opening):
    with pytest.raises(ManifestTooLarge):
        Manifest.parse(opening * 500_000)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 10**400])
def test_a_metric_that_is_not_finite_cannot_be_published(value):
    with pytest.raises(ManifestMalformed):
        dataclasses.replace(EXAMPLE, metrics={"loss": value})


def test_equal_numbers_in_other_types_give_one_digest():
    one = dataclasses.replace(EXAMPLE, metrics={"x": 1})
    assert one.digest == dataclasses.replace(EXAMPLE, metrics={"x": 1.0}).digest
    assert one == dataclasses.replace(EXAMPLE, metrics={"x": 1.0})


def test_a_contributor_that_is_no_account_is_refused():
    for account in ("bob", "eip155:1:0x12", "Eip155:1:bob"):
        with pytest.raises((InvalidAccountId, InvalidLedgerId)):
            Manifest.parse(encode(edited(("contributors", 0, "account"), account)))


def test_a_lone_surrogate_in_a_key_cannot_be_published():
    with pytest.raises(ManifestMalformed, match="no canonical form"):
        encode({"\ud800": 1, "a": 2})
