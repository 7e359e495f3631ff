"""A committee's members are read in one way, wherever a command takes them."""

from __future__ import annotations

import pytest

from caimi.cli.one_ledger import members_of
from caimi.errors.operations import UsageError

ONE, OTHER = f"0x{'11' * 20}", f"0x{'22' * 20}"
ACCOUNTS = [bytes.fromhex(each[2:]) for each in (ONE, OTHER)]


def test_members_are_accounts_with_operators_or_without() -> None:
    assert members_of([ONE, OTHER]) == (ACCOUNTS, None)
    assert members_of([f"{ONE}=1", f"{OTHER}=200"]) == (
        ACCOUNTS,
        dict(zip(ACCOUNTS, (1, 200), strict=True)),
    )


@pytest.mark.parametrize("other", [OTHER, f"{OTHER}=x", f"{OTHER}=1000", f"{OTHER}=-1", "nobody"])
def test_another_form_is_refused(other: str) -> None:
    with pytest.raises(UsageError):
        members_of([f"{ONE}=1", other])
