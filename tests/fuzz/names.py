"""Decoders of names, amounts, configuration and other text."""

from __future__ import annotations

import json
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from caimi.chains import AccountId, InteroperableAddress, parse_ledger_id
from caimi.client.amounts import format_amount, parse_amount
from caimi.composition.beginning import read_deployed
from caimi.config import EXAMPLE, Config, read_toml
from caimi.hex_text import read_either_case, read_hex
from caimi.json_text import read_json
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.abi.accounts import EvmAccounts
from caimi.ledgers.machine.ed25519_accounts import Ed25519Accounts
from caimi.ledgers.machine.ed25519_keys import ED25519_KEYS, Ed25519Key
from caimi.ledgers.port import Account, Asset, LedgerId, Money
from caimi.models.licence import check_licence
from caimi.models.paths import check_path
from caimi.node.settings import NodeSettings
from caimi.storage.cid import Cid, HashFunction
from caimi.uri import ModelUri
from fuzz.decoder import Decoder, Law

ADDRESS = "0x52908400098527886E0F7030069857D2E4169EE7"
_FOLDER = tempfile.TemporaryDirectory()

LEDGERS = [
    "eip155:1",
    "cosmos:cosmoshub-3",
    "polkadot:b0a8d493285c2df73290dfb7e61f870f",
    "fabric:a_b",
]
ACCOUNTS = [
    f"eip155:1:{ADDRESS}",
    "cosmos:cosmoshub-3:cosmos1t2uflqwqe0fsj0shcfkrvpukewcw40yjj6hdc0",
    "polkadot:b0a8d493285c2df73290dfb7e61f870f:5hmuyxw9xdgbpptgypokw4thfyoe3ryenebr381z9iaegmfy",
]
SECTION = """
[[ledgers]]
id = "eip155:31337"
name = "a"
rpc = "http://127.0.0.1:8545"
endpoints = ["https://b.example/x"]
quorum = 2
finality = "depth:12"
deployed_at = 3
[ledgers.contracts]
gateway = "0x52908400098527886E0F7030069857D2E4169EE7"
"""
ASSET = f"""
[[assets]]
symbol = "EURX"
ledger = "a"
address = "{ADDRESS}"
decimals = 6
"""
NODE = f"""
index = 1
port = 9001
threshold = 2
[[committee]]
index = 1
account = "{ADDRESS}"
public_key = "0x02{"ab" * 32}"
[[committee]]
index = 2
account = "{ADDRESS}"
public_key = "0x03{"cd" * 32}"
{SECTION}
"""
COIN = Asset(LedgerId("eip155:1"), b"", "coin", 18)
EVM = EvmAccounts(COIN.ledger)
ED25519, ED25519_ACCOUNTS = Ed25519Key(), Ed25519Accounts(LedgerId("local:near"))
KEYSTORE = (Path(__file__).parent / "corpus" / "key.json").read_text()


def _file(name: str, content: str | bytes) -> Path:
    path = Path(_FOLDER.name) / name
    if isinstance(content, str):
        content = content.encode("utf-8", "surrogatepass")
    path.write_bytes(content)
    return path


def _deployed() -> list[bytes]:
    section = tomllib.loads(SECTION)["ledgers"][0]
    return [json.dumps({"ok": True, "deployed": True, "ledger": section}).encode()]


def _addresses() -> list[bytes]:
    return [InteroperableAddress.from_caip(text).to_bytes() for text in [LEDGERS[0], *ACCOUNTS]] + [
        InteroperableAddress(0, b"", bytes(20)).to_bytes()
    ]


def _amount(text: str) -> Money:
    amount = parse_amount(text, COIN)
    whole, _, part = text.partition(".")
    assert amount.units == int(whole) * 10**18 + int(part.ljust(18, "0"))
    return amount


def _ledger_of(data: bytes) -> Any:
    address = InteroperableAddress.from_bytes(data)
    return address.ledger, address.chain


def _ed25519_file() -> bytes:
    file = _file("new.ed25519", "")
    file.unlink()
    ED25519.save(file, b"passphrase", cost=14)
    return file.read_bytes()


DECODERS = (
    Decoder(
        "hex",
        ("caimi.hex_text.read_hex", "caimi.hex_text._read"),
        lambda: ["0x", "0x00", f"0x{'ab' * 32}"],
        read_hex,
        lambda value: f"0x{value.hex()}",
        Law.ONE_SPELLING,
        refuses=(ValueError,),
        share=2,
    ),
    Decoder(
        "hex-either-case",
        ("caimi.hex_text.read_either_case",),
        lambda: ["0x", f"0x{'aB' * 20}", f"0x{'ab' * 32}"],
        read_either_case,
        lambda value: f"0x{value.hex()}",
        Law.SETTLES,
        refuses=(ValueError,),
        share=2,
    ),
    Decoder(
        "what-deploy-printed",
        ("caimi.composition.beginning.read_deployed", "caimi.composition.beginning._take_file"),
        _deployed,
        read_deployed,
        lambda section: json.dumps({"ledger": section.model_dump(mode="json")}).encode(),
        Law.SETTLES,
    ),
    Decoder(
        "caip2",
        ("caimi.chains.parse_ledger_id",),
        lambda: LEDGERS,
        parse_ledger_id,
        str,
        Law.ONE_SPELLING,
        share=6,
    ),
    Decoder(
        "caip10",
        ("caimi.chains.AccountId.parse",),
        lambda: ACCOUNTS,
        AccountId.parse,
        # An EVM address may be written without its checksum.
        str,
        Law.SETTLES,
        share=4,
    ),
    Decoder(
        "caip-to-erc7930",
        ("caimi.chains.InteroperableAddress.from_caip",),
        lambda: [*LEDGERS, *ACCOUNTS],
        lambda text: InteroperableAddress.from_bytes(
            InteroperableAddress.from_caip(text).to_bytes()
        ),
        share=2,
    ),
    Decoder(
        "erc7930",
        ("caimi.chains.InteroperableAddress.from_bytes",),
        _addresses,
        InteroperableAddress.from_bytes,
        lambda value: value.to_bytes(),
        Law.ONE_SPELLING,
        share=8,
    ),
    Decoder(
        "account",
        ("caimi.ledgers.port.accounts.Account.from_interoperable",),
        _addresses,
        Account.from_interoperable,
        lambda value: value.interoperable,
        Law.ONE_SPELLING,
        share=4,
    ),
    Decoder(
        "account-caip",
        ("caimi.ledgers.port.accounts.Account.from_caip",),
        lambda: ACCOUNTS,
        Account.from_caip,
        share=2,
    ),
    Decoder(
        "account-evm",
        ("caimi.ledgers.evm.abi.accounts.EvmAccounts.parse",),
        lambda: [f"0x{'ab' * 20}", f"0x{'AB' * 20}", EVM.text(Account(COIN.ledger, b"\xab" * 20))],
        EVM.parse,
        EVM.text,
        Law.SETTLES,
        share=2,
    ),
    Decoder(
        "account-ed25519",
        ("caimi.ledgers.machine.ed25519_accounts",),
        lambda: [ED25519.account.decode(), "gateway"],
        ED25519_ACCOUNTS.parse,
        ED25519_ACCOUNTS.text,
        Law.ONE_SPELLING,
        share=2,
    ),
    Decoder(
        "erc7930-ledger",
        ("caimi.chains.InteroperableAddress.ledger",),
        _addresses,
        _ledger_of,
        share=4,
    ),
    Decoder(
        "model-uri",
        ("caimi.uri.ModelUri.parse",),
        lambda: [f"caimi:eip155:1:0x{'ab' * 32}{end}" for end in ("", "@1.0.0", "@latest")],
        ModelUri.parse,
        str,
        Law.ONE_SPELLING,
        share=6,
    ),
    Decoder(
        "cid",
        ("caimi.storage.cid.Cid.parse",),
        lambda: [str(Cid.of(b"a")), str(Cid.of(b"a", HashFunction.BLAKE3))],
        Cid.parse,
        str,
        Law.ONE_SPELLING,
        share=4,
    ),
    Decoder(
        "cid-bytes",
        ("caimi.storage.cid.Cid.from_bytes",),
        lambda: [Cid.of(b"a").to_bytes(), Cid.of(b"a", HashFunction.BLAKE3).to_bytes()],
        Cid.from_bytes,
        lambda value: value.to_bytes(),
        Law.ONE_SPELLING,
        share=4,
    ),
    Decoder(
        "amount",
        ("caimi.client.amounts.parse_amount",),
        lambda: ["5", "0.25", "123456789012345678901234567890.123456789012345678"],
        _amount,
        format_amount,
        Law.SETTLES,
        share=2,
    ),
    Decoder(
        "json-text",
        ("caimi.json_text.read_json",),
        lambda: [b'{"a":[1,2.5,"\\u00e9",null,true,{"b":-1e3}]}', b"[" * 99 + b"]" * 99],
        read_json,
        refuses=(ValueError, RecursionError),
        share=4,
    ),
    Decoder(
        "package-path",
        ("caimi.models.paths",),
        lambda: ["weights/model.onnx", "a b/ü.txt", "a/b/c/d"],
        check_path,
        str,
        Law.ONE_SPELLING,
        share=2,
    ),
    Decoder(
        "licence",
        ("caimi.models.licence",),
        lambda: ["MIT", "(Apache-2.0 OR MIT) AND BSD-3-Clause", "LicenseRef-mine"],
        check_licence,
        share=2,
    ),
    Decoder(
        "configuration",
        ("caimi.config.files", "caimi.config.loading"),
        lambda: [EXAMPLE, SECTION, SECTION + ASSET],
        lambda text: read_toml(_file("caimi.toml", text), Config),
        share=0.1,
    ),
    Decoder(
        "node-settings",
        ("caimi.node.settings",),
        lambda: [NODE],
        lambda text: read_toml(_file("node.toml", text), NodeSettings),
        share=0.1,
    ),
    Decoder(
        "keystore",
        ("caimi.keystore",),
        lambda: [KEYSTORE],
        lambda text: LocalSigner.load(_file("key.json", text), b"passphrase"),
        share=0.05,
    ),
    Decoder(
        "ed25519-key",
        ("caimi.ledgers.machine.ed25519_keys", "caimi.passphrases", "caimi.stored_keys"),
        lambda: [_ed25519_file()],
        lambda data: ED25519_KEYS.load(_file("key.ed25519", data), b"passphrase"),
        share=0.005,
    ),
)
