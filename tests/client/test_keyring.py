"""A name has a key a kind of ledgers, made and opened together, each in its family's own file."""

from __future__ import annotations

from pathlib import Path

import pytest

import word_family
from caimi.client.bindings import bind
from caimi.client.keyring import Keyring
from caimi.composition.keys import codecs_of
from caimi.config import Config, LedgerSection
from caimi.errors.operations import BindingInvalid, KeyExists, KeyLocked, KeyMissing, KeysUnusable
from caimi.keystore import LocalSigner
from caimi.ledgers.port import Account, LedgerId
from memory_ledger.words import Wallet

EVM, FAR, FARTHER = LedgerId("eip155:1"), LedgerId("local:far"), LedgerId("local:farther")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setenv("CAIMI_PASSPHRASE", "correct horse")
    word_family.install(tmp_path / "installed", monkeypatch)
    evm = {
        "id": EVM,
        "name": "a",
        "rpc": "http://127.0.0.1:1",
        "deployed_at": 0,
        "contracts": {"gateway": f"0x{'11' * 20}"},
    }
    words = [
        {"id": each, "name": each.partition(":")[2], "family": "word"} for each in (FAR, FARTHER)
    ]
    sections = [LedgerSection.model_validate(each) for each in (evm, *words)]
    return Config(ledgers=sections, home=tmp_path)


def files(config: Config) -> list[str]:
    return sorted(file.name for file in config.path("keys").iterdir())


def test_a_new_name_gets_a_key_for_each_kind_of_its_ledgers(config: Config) -> None:
    made = Keyring(config).new("alice")
    assert files(config) == ["alice.json", "alice.signing.pem", "alice.word"]
    opened = Keyring(config).open("alice")
    for identity in (made, opened):
        assert identity.signer_on(EVM) is identity.signer
        assert isinstance(identity.signer_on(FAR), Wallet)
        assert identity.account(FARTHER) == Account(FARTHER, b"alice")
        assert all(map(identity.holds, (EVM, FAR, FARTHER)))
    assert Keyring(config).names() == ["alice"]


def test_an_account_is_read_without_a_passphrase(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Keyring(config).new("alice").signer.account
    monkeypatch.delenv("CAIMI_PASSPHRASE")
    assert Keyring(config).account_on(FAR, "alice") == Account(FAR, b"alice")
    assert Keyring(config).account_on(EVM, "alice") == Account(EVM, own)


def test_a_name_without_a_key_on_a_ledger_does_the_rest_and_says_how_to_get_one(
    config: Config,
) -> None:
    without = config.model_copy(update={"ledgers": config.ledgers[:1]})
    Keyring(without).new("alice")
    identity = Keyring(config).open("alice")
    assert (identity.holds(EVM), identity.holds(FAR)) == (True, False)
    for use in (identity.signer_on, identity.account, lambda on: identity.signers([EVM, on])):
        with pytest.raises(KeyMissing, match="no key on local:far") as caught:
            use(FAR)
        assert "caimi keys new alice --ledger local:far" in caught.value.next_step
    with pytest.raises(KeyMissing, match="no key on local:far"):
        Keyring(config).account_on(FAR, "alice")
    Keyring(config).add("alice", word_family.WORDS.keys)
    assert Keyring(config).open("alice").account(FAR) == Account(FAR, b"alice")


def test_a_key_is_added_to_a_name_that_is_there_once_and_by_its_passphrase(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = word_family.WORDS.keys
    with pytest.raises(KeyMissing):
        Keyring(config).add("alice", kind)
    Keyring(config).new("alice")
    with pytest.raises(KeyExists):
        Keyring(config).add("alice", kind)
    config.path("keys/alice.word").unlink()
    monkeypatch.setenv("CAIMI_PASSPHRASE", "another horse")
    with pytest.raises(KeyLocked):
        Keyring(config).add("alice", kind)
    assert files(config) == ["alice.json", "alice.signing.pem"]


def test_a_key_that_cannot_be_written_leaves_no_part_of_a_name(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(key: object, path: Path, passphrase: bytes) -> None:
        raise OSError(28, "No space left on device", str(path))

    for kind in (LocalSigner, word_family.WordKey):
        with monkeypatch.context() as broken:
            broken.setattr(kind, "save", full)
            with pytest.raises(KeysUnusable, match="No space left"):
                Keyring(config).new("alice")
        assert files(config) == []


def test_any_file_of_a_name_keeps_it_from_being_made_anew(config: Config) -> None:
    config.path("keys").mkdir()
    config.path("keys/alice.word").write_text("something")
    with pytest.raises(KeyExists):
        Keyring(config).new("alice")
    assert files(config) == ["alice.word"]


def test_bindings_are_kept_beside_the_keys_and_are_no_key(config: Config) -> None:
    keyring = Keyring(config)
    identity, codecs = keyring.new("alice"), codecs_of(config.ledgers)
    wallets = [codecs[ledger].wallet(identity.signer_on(ledger)) for ledger in (EVM, FAR, FARTHER)]
    assert keyring.bindings("alice") == []
    bindings = [bind(wallets[0], other, 5) for other in wallets[1:]]
    keyring.save_bindings("alice", bindings)
    assert keyring.bindings("alice") == bindings
    assert keyring.names() == ["alice"]
    config.path("keys/alice.bindings.json").write_text("{}\n")
    with pytest.raises(BindingInvalid):
        keyring.bindings("alice")
