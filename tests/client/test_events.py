"""Every fact about a model has a name and details in text, whatever somebody wrote in it."""

from __future__ import annotations

import pytest

from caimi.client.events import details_of, event_of
from caimi.ledgers.evm.abi.accounts import EvmAccounts
from caimi.ledgers.port import (
    MODEL_KINDS,
    Account,
    Asset,
    ChangedOwner,
    ChangedPrices,
    DepartedModel,
    DeprecatedVersion,
    GrantedLicence,
    LedgerId,
    Price,
)

HERE, THERE = LedgerId("eip155:1"), LedgerId("eip155:2")
ACCOUNTS = EvmAccounts(HERE)
MODEL, LICENCE = b"\1" * 32, b"\2" * 32
ALICE = Account(HERE, b"\xab" * 20)
WRITTEN = ACCOUNTS.text(ALICE)
COIN, TOKEN = Asset(THERE, b""), Asset(THERE, b"\3" * 20)
PAYEE = Account(THERE, b"\4" * 20)


def test_every_kind_of_fact_has_a_name_of_its_own():
    class_names = {kind: event_of(kind.__new__(kind)) for kind in MODEL_KINDS}
    assert len(set(class_names.values())) == len(MODEL_KINDS)


@pytest.mark.parametrize(
    ("fact", "event", "details"),
    [
        (DepartedModel(MODEL), "foreign model burned", {}),
        (
            ChangedOwner(MODEL, None, ALICE),
            "transfer",
            {"sender": "nobody", "recipient": WRITTEN},
        ),
        (
            DeprecatedVersion(MODEL, "1.0.0", "no \ufffd text"),
            "version deprecated",
            {"version": "1.0.0", "reason": "no \ufffd text"},
        ),
        (ChangedPrices(MODEL, ALICE, ()), "prices set", {"seller": WRITTEN, "prices": "none"}),
        (
            ChangedPrices(
                MODEL, ALICE, (Price(COIN.of(7), PAYEE), Price(TOKEN.of(8), PAYEE, offered=False))
            ),
            "prices set",
            {
                "seller": WRITTEN,
                "prices": f"7 on {THERE}; 8 of 0x{'03' * 20} on {THERE} withdrawn",
            },
        ),
        (
            GrantedLicence(LICENCE, MODEL, "1.0.0", ALICE.interoperable, b""),
            "licence granted",
            {
                "licence id": f"0x{LICENCE.hex()}",
                "version": "1.0.0",
                "consumer": str(ALICE),
                "payee": "nobody",
            },
        ),
        (
            GrantedLicence(LICENCE, MODEL, "1.0.0", b"\xff\xff", b"\x00"),
            "licence granted",
            {
                "licence id": f"0x{LICENCE.hex()}",
                "version": "1.0.0",
                "consumer": "0xffff",
                "payee": "0x00",
            },
        ),
    ],
)
def test_a_fact_is_named_and_its_details_are_text(fact, event, details):
    assert event_of(fact) == event
    assert details_of(fact, ACCOUNTS) == details
