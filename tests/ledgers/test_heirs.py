"""Lists of heirs, which members of a committee get from whoever proposes them."""

from pathlib import Path

import pytest

from caimi.cli.exits import heirs_in
from caimi.errors.ledgers import ExitInvalid
from caimi.errors.operations import UsageError
from caimi.ledgers.evm.administration.exits import read_heirs

HEIR = {"model": "0x" + "01" * 32, "sequence": 1, "to": "0x" + "42" * 20}


def test_one_list_has_one_root_in_any_order() -> None:
    other = HEIR | {"model": "0x" + "02" * 32}
    assert read_heirs([HEIR, other]).root == read_heirs([other, HEIR]).root


@pytest.mark.parametrize(
    "wrong",
    [None, {}, [None], [{}], [HEIR, HEIR], [HEIR | {"more": 1}], [HEIR | {"sequence": True}],
     [HEIR | {"sequence": 0}], [HEIR | {"sequence": 1 << 64}], [HEIR | {"sequence": "1"}],
     [HEIR | {"model": "0x01"}], [HEIR | {"model": 1}], [HEIR | {"to": "0x" + "zz" * 20}]],
)  # fmt: skip
def test_what_is_no_list_of_heirs_is_refused(wrong: object) -> None:
    with pytest.raises(ExitInvalid):
        read_heirs(wrong)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "9" * 5_000, "\udcff"])
def test_a_file_that_is_no_json_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "heirs.json"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UsageError):
        heirs_in(file)
