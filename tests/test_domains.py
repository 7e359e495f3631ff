"""Every domain tag in the source is pinned, stands in one place, and is no other's beginning.

What is hashed, signed or sealed for one purpose then never counts for another. A tag that changes,
a second use of one, or a new one fails here until this list says so.
"""

import ast
import re
from collections import Counter
from itertools import permutations
from pathlib import Path

from caimi.hashing import keccak256

SOURCE = Path(__file__).parents[1] / "src" / "caimi"
TAGS = {
    b"caimi/content-key/v1": "models/content_key.py",
    b"caimi/custody/v1/second-generator": "custody/group.py",
    b"caimi/dkg-ceremony/v2": "custody/dkg/ceremony.py",
    b"caimi/dkg-enrolment/v1": "custody/dkg/ceremony.py",
    b"caimi/dkg-message/v1": "custody/dkg/ceremony.py",
    b"caimi/dkg-round/v1": "custody/dkg/ceremony.py",
    b"caimi/dkg-share/v1": "custody/dkg/dealing.py",
    b"caimi/ed25519-key/1": "ledgers/machine/ed25519_keys.py",
    b"caimi/endorsed-reads/v1": "ledgers/client_proofs.py",
    b"caimi/group-key/v1": "custody/keys.py",
    b"caimi/key-share-file/v1": "custody/keyshare_file.py",
    b"caimi/key-share/v1": "custody/keys.py",
    b"caimi/key/v1": "custody/label.py",
    b"caimi/seal/v1": "models/content_key.py",
    b"caimi/share-answer/v1": "custody/answer.py",
    b"caimi/share-delivery/v1": "custody/delivery.py",
    b"caimi/statement/1": "ledgers/machine/statements.py",
    b"caimi/tdh2-ciphertext/v1": "custody/tdh2.py",
    b"caimi/tdh2-share/v1": "custody/tdh2.py",
    b"caimi/tdh2/v1/key": "custody/tdh2.py",
    b"caimi/tdh2/v1/share": "custody/tdh2.py",
    b"caimi/tdh2/v1/well-formed": "custody/tdh2.py",
    b"caimi/tensors/v1": "inference/tensors.py",
}
"""What begins or frames hashed, sealed or stored bytes, and the one file it stands in."""

STATEMENTS = [
    ("client/bindings.py", "CAIMI", "1", "SamePerson"),
    ("custody/answer.py", "CAIMI", "1", "ShareAnswer"),
    ("custody/key_release.py", "CAIMI", "1", "KeyRelease"),
    ("custody/request.py", "CAIMI", "1", "ShareRequest"),
    ("inference/receipt.py", "CAIMI Receipt", "2", "Receipt"),
    ("inference/receipt.py", "CAIMI Receipt", "2", "ExactReceipt"),
    ("ledgers/machine/calls.py", "CAIMI", "1", "Act"),
    ("ledgers/publications.py", "CAIMI", "1", "Publication"),
]
"""The types of statements, each in the one file it stands in."""

_TYPE = re.compile(rb"([A-Z][A-Za-z]+)\((?:[a-z0-9\[\]]+ [a-zA-Z0-9]+,?)+\)")


def constants(kind):
    """Give (file, value) of every literal of a kind in the source; docstrings are no literals."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, kind):
                yield str(path.relative_to(SOURCE)), node.value


def test_every_tag_is_pinned_and_stands_in_one_place():
    found = [(tag, file) for file, tag in constants(bytes) if tag.lower().startswith(b"caimi/")]
    assert Counter(found) == Counter(TAGS.items())


def test_no_tag_is_the_beginning_of_another():
    assert not [(a, b) for a, b in permutations(TAGS, 2) if b.startswith(a)]


def test_no_two_kinds_of_typed_data_hash_alike():
    """EIP-712: equal domains are kept apart by their types' names, so each type is told once."""
    types = [value for _, value in constants(bytes) if _TYPE.fullmatch(value)]
    statements = [value for value in types if not value.startswith(b"EIP712Domain(")]
    names = Counter(_TYPE.fullmatch(value)[1] for value in statements)
    assert {name for name, count in names.items() if count > 1} == set()
    assert len({keccak256(value) for value in statements}) == len(statements) >= 4


def statement_types():
    """Give (file, domain's name, its version, type) of every type of statement in the source."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(
                    func=ast.Name("StatementType"),
                    args=[
                        ast.Call(args=[ast.Constant(name), ast.Constant(version)]),
                        ast.Constant(kind),
                        _,
                    ],
                ):
                    yield str(path.relative_to(SOURCE)), name, version, kind


def test_every_type_of_statement_is_pinned_and_no_other_typed_datas():
    assert list(statement_types()) == STATEMENTS
    typed = {_TYPE.fullmatch(value)[1] for _, value in constants(bytes) if _TYPE.fullmatch(value)}
    names = [kind.encode() for *_, kind in STATEMENTS]
    assert len(set(names)) == len(names)
    assert not typed & set(names)


def test_the_names_of_typed_data_are_pinned():
    names = {value for _, value in constants(bytes) if re.fullmatch(rb"CAIMI[ A-Za-z]*", value)}
    assert names == {
        b"CAIMI",
        b"CAIMI Receipt",
        b"CAIMI emergency exit",
    }
