"""What `[[treasuries]]` say, before any ledger is asked."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TypeAlias

import pytest

from caimi.client.keyring import Keyring
from caimi.client.refilling.opening import open_treasury, treasury_sections, treasury_terms
from caimi.client.refilling.recipients import TreasuryTerms, terms_of
from caimi.config import Config, load_config
from caimi.errors.ledgers import NotOffered
from caimi.errors.operations import ConfigInvalid, KeyMissing, UnknownLedger
from caimi.errors.treasury import TreasuryInvalid, TreasuryMissing
from caimi.ledgers.evm.deployment import NAMES
from caimi.ledgers.machine.ledger import MachineLedger
from memory_ledger import MemoryChain

Read: TypeAlias = Callable[[str], Config]
STRANGER = "0x" + "77" * 20
OTHER = "0x" + "88" * 20
LEDGERS = "".join(
    f'[[ledgers]]\nid = "eip155:{number}"\nname = "{name}"\nrpc = "http://127.0.0.1:9"\n'
    "deployed_at = 0\n[ledgers.contracts]\n"
    + "".join(f'{contract} = "0x{"11" * 20}"\n' for contract in NAMES)
    for number, name in ((1, "a"), (2, "b"))
)
TREASURY = """
[[treasuries]]
ledger = "a"
key = "treasury"
floor = "0.1"
ceiling = "0.25"
daily_cap = "3"
"""


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    folder = tmp_path_factory.mktemp("names")
    (folder / "caimi.toml").write_text(LEDGERS)
    keyring = Keyring(load_config(folder / "caimi.toml"), lambda _: "correct horse")
    for name in ("treasury", "relayer", "worker", "alice"):
        keyring.new(name)
    return keyring


@pytest.fixture
def config(tmp_path: Path, keys: Keyring) -> Read:
    def read(said: str) -> Config:
        folder = keys.file("treasury", ".json").parent
        file = tmp_path / "caimi.toml"
        file.write_text(f'{LEDGERS}{said}\n[keys]\ndirectory = "{folder}"\n')
        return load_config(file)

    return read


async def terms(config: Config) -> TreasuryTerms:
    (section,) = treasury_sections(config)
    return await treasury_terms(config, section)


async def test_amounts_are_in_the_ledgers_coins_and_low_is_a_days_cap_unless_told(
    config: Read,
) -> None:
    said = TREASURY + f'accounts = ["{STRANGER}"]\n'
    limits = (await terms(config(said))).limits
    units = [each.units for each in (limits.floor, limits.ceiling, limits.daily_cap, limits.low)]
    assert units == [10**17, 25 * 10**16, 3 * 10**18, 3 * 10**18]
    assert (await terms(config(said + 'low = "7"\n'))).limits.low.units == 7 * 10**18


async def test_accounts_are_named_by_keys_and_in_either_writing_each_once(
    config: Read, keys: Keyring
) -> None:
    relayer = keys.account("relayer")
    listed = f'keys = ["relayer"]\naccounts = ["eip155:1:{STRANGER}", "{relayer}", "{OTHER}"]\n'
    kept = (await terms(config(TREASURY + listed))).recipients
    assert [(each.account.native.hex(), each.why) for each in kept] == [
        (relayer[2:].lower(), "key relayer"),
        (STRANGER[2:], "listed"),
        (OTHER[2:], "listed"),
    ]


async def test_of_listed_services_those_are_kept_whose_keys_are_here(config, keys: Keyring) -> None:
    relayer, worker = keys.account("relayer"), keys.account("worker")
    services = "".join(
        f'[[workers]]\nurl = "http://w{at}"\naccount = "{account}"\nledger = "{ledger}"\n'
        for at, (account, ledger) in enumerate(
            ((worker, "eip155:1"), (STRANGER, "eip155:1"), (keys.account("alice"), "eip155:2"))
        )
    )
    services += (
        f'[relayer.turns]\naccounts = ["{relayer}", "eip155:1:{OTHER}", "eip155:2:{OTHER}"]\n'
    )
    kept = (await terms(config(TREASURY + services))).recipients
    assert [(each.account.native.hex(), each.why) for each in kept] == [
        (worker[2:].lower(), "worker http://w0"),
        (relayer[2:].lower(), "relayer"),
    ]


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        (TREASURY, TreasuryInvalid, "pays nobody"),
        (TREASURY + 'keys = ["treasury"]\n', TreasuryInvalid, "pay itself"),
        (TREASURY.replace("0.25", "0.1") + f'accounts = ["{OTHER}"]\n', TreasuryInvalid, "floor"),
        (TREASURY.replace("0.25", "3.1") + f'accounts = ["{OTHER}"]\n', TreasuryInvalid, "floor"),
        (TREASURY.replace("0.1", "0") + f'accounts = ["{OTHER}"]\n', TreasuryInvalid, "floor"),
        (TREASURY.replace("0.1", "0." + "1" * 19), TreasuryInvalid, "is not an amount"),
        (TREASURY + f'accounts = ["eip155:2:{OTHER}"]\n', TreasuryInvalid, "no account there"),
        (TREASURY + 'accounts = ["0x12"]\n', TreasuryInvalid, "0x12"),
        (TREASURY + TREASURY, TreasuryInvalid, "two treasuries"),
        (TREASURY + TREASURY.replace('"a"', '"eip155:1"'), TreasuryInvalid, "two treasuries"),
        (TREASURY.replace('"a"', '"c"'), UnknownLedger, "'c'"),
        (TREASURY.replace('"treasury"', '"nobody"'), KeyMissing, "nobody"),
        (TREASURY + 'keys = ["nobody"]\n', KeyMissing, "nobody"),
        ("", TreasuryMissing, "no treasury"),
        (TREASURY.replace('"0.1"', "0.1"), ConfigInvalid, "floor"),
        (TREASURY.replace('"0.1"', '"-1"'), ConfigInvalid, "floor"),
        (TREASURY + 'wage = "1"\n', ConfigInvalid, "wage"),
    ],
)
async def test_what_cannot_be_followed_is_refused_by_name(
    said: str, kind: type[Exception], words: str, config: Read
) -> None:
    with pytest.raises(kind, match=words):
        await terms(config(said))


async def test_a_ledger_of_words_without_a_coin_is_refused_by_name(config: Read) -> None:
    read = config(TREASURY + f'accounts = ["{OTHER}"]\n')
    (section,) = treasury_sections(read)
    ledger = MachineLedger(MemoryChain("words"))
    with pytest.raises(NotOffered, match="no coin"):
        terms_of(read, section, ledger)


async def test_what_is_wrong_is_said_before_the_ledger_is_asked(config: Read) -> None:
    read = config(TREASURY)
    async with AsyncExitStack() as stack:
        with pytest.raises(TreasuryInvalid):
            await open_treasury(stack, read, read.treasuries[0])
