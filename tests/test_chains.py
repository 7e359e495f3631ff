"""Ids of chains and accounts parse strictly and have one form."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caimi.chains import PROVISIONAL_CHAIN_TYPES, AccountId, InteroperableAddress, parse_ledger_id
from caimi.errors.ids import InvalidAccountId, InvalidInteroperableAddress, InvalidLedgerId

VITALIK = "d8da6bf26964af9d7eed9e03e53415d37aa96045"
KITTY = "0xab16a96D359eC26a11e2C2b3d8f8B8942d5Bfcdb"
EXAMPLE_LEDGERS = [  # CAIP-2, test cases
    "eip155:1",
    "bip122:000000000019d6689c085ae165831e93",
    "bip122:12a765e31ffd4059bada1e25190f6e98",
    "cosmos:cosmoshub-2",
    "cosmos:Binance-Chain-Tigris",
    "cosmos:iov-mainnet",
    "starknet:SN_GOERLI",
    "lip9:9ee11e9df416b18b",
    "chainstd:8c3444cf8970a9e41a706fab93e7a6c4",
]
EXAMPLE_ACCOUNTS = [  # CAIP-10, test cases
    f"eip155:1:{KITTY}",
    "bip122:000000000019d6689c085ae165831e93:128Lkh3S7CkDTBZ8W7BbpsN3YYizJMp8p6",
    "cosmos:cosmoshub-3:cosmos1t2uflqwqe0fsj0shcfkrvpukewcw40yjj6hdc0",
    "polkadot:b0a8d493285c2df73290dfb7e61f870f:5hmuyxw9xdgbpptgypokw4thfyoe3ryenebr381z9iaegmfy",
    "starknet:SN_GOERLI:0x02dd1b492765c064eac4039e3841aa5f382773b598097a40073bd8b48170ab57",
    "hedera:mainnet:0.0.1234567890-zbhlt",
    "chainstd:8c3444cf8970a9e41a706fab93e7a6c4:6d9b0b4b9994e8a6afbd3dc3ed983cd51c755afb27cd1dc7825ef59c134a39f7",
]


@pytest.mark.parametrize("text", EXAMPLE_LEDGERS)
def test_the_examples_of_caip_2_are_taken(text: str) -> None:
    assert parse_ledger_id(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "eip155",
        ":",
        "eip155:",
        ":1",
        "ab:1",
        "eip155155:1",
        "EIP155:1",
        "eip155:01",
        "eip155:0",
        "eip155:-1",
        "eip155:0x1",
        "eip155:1 ",
        "eip155:1\n",
        "eip155:1:2",
        "eip155:\u0661",
        "cosmos:" + "a" * 33,
        "cosmos:a.b",
    ],
)
def test_what_is_no_chain_id_is_refused(text: str) -> None:
    with pytest.raises(InvalidLedgerId):
        parse_ledger_id(text)


@pytest.mark.parametrize("text", EXAMPLE_ACCOUNTS)
def test_the_examples_of_caip_10_round_trip(text: str) -> None:
    assert str(AccountId.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "eip155",
        f"eip155:1:{KITTY[2:]}",
        f"eip155:1:{KITTY[:-1]}",
        f"eip155:1:{KITTY}0",
        f"eip155:1:{KITTY.replace('ab16a96D', 'ab16a96d')}",
        f"eip155:1:{KITTY}\n",
        "cosmos:cosmoshub-3:",
        "cosmos:cosmoshub-3:with space",
        "cosmos:cosmoshub-3:" + "a" * 129,
        "cosmos:cosmoshub-3:a_b",
    ],
)
def test_what_is_no_account_is_refused(text: str) -> None:
    with pytest.raises((InvalidAccountId, InvalidLedgerId)):
        AccountId.parse(text)


def test_an_evm_account_gets_its_checksum() -> None:
    assert AccountId.parse(f"eip155:1:{KITTY.lower()}") == AccountId.parse(f"eip155:1:{KITTY}")


# ERC-7930, examples 1 and 2; the third names an account on whatever EVM chain.
@pytest.mark.parametrize(
    ("encoded", "caip"),
    [
        (f"00010000010114{VITALIK}", "eip155:1:0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045"),
        ("00010000010100", "eip155:1"),
        ("0001000003aa36a700", "eip155:11155111"),
        ("0001000002a4b114" + VITALIK, "eip155:42161:0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045"),
    ],
)
def test_the_examples_of_erc_7930_are_written(encoded: str, caip: str) -> None:
    address = InteroperableAddress.from_caip(caip)
    assert address.to_bytes().hex() == encoded
    assert InteroperableAddress.from_bytes(bytes.fromhex(encoded)) == address
    assert address.ledger == ":".join(caip.split(":")[:2])


def test_an_account_without_a_chain_is_an_address() -> None:
    data = bytes.fromhex(f"000100000014{VITALIK}")
    address = InteroperableAddress.from_bytes(data)
    assert (address.reference, address.address.hex()) == (b"", VITALIK)
    with pytest.raises(InvalidLedgerId):
        _ = address.ledger
    with pytest.raises(InvalidInteroperableAddress):
        _ = address.chain


@pytest.mark.parametrize(
    "encoded",
    [
        "",
        "0001",
        "00010000",
        "000100000000",  # neither chain nor account
        "0001ff010000",
        f"00020000010114{VITALIK}",  # version
        f"00000000010114{VITALIK}",
        f"0001000002000114{VITALIK}",  # leading zero of the chain number
        "00010000010000",  # chain number zero
        f"00010000010114{VITALIK}00",  # trailing byte
        f"00010000010114{VITALIK[:-2]}",  # truncated
        f"00010000010113{VITALIK[:-2]}",  # 19 bytes of account
        f"00010000010115{VITALIK}00",
        f"00010000ff0114{VITALIK}",
        "0001000001",
        "000100000101",
        "0001ff0101610162ff",  # trailing byte, where accounts have no fixed length
        "0001ff01016102ff",
    ],
)
def test_bytes_outside_the_canonical_form_are_refused(encoded: str) -> None:
    with pytest.raises(InvalidInteroperableAddress):
        InteroperableAddress.from_bytes(bytes.fromhex(encoded))


@given(st.binary(max_size=60))
def test_bytes_are_refused_by_name_or_are_the_canonical_form(data: bytes) -> None:
    with contextlib.suppress(InvalidInteroperableAddress):
        assert InteroperableAddress.from_bytes(data).to_bytes() == data


@given(st.integers(1, (1 << 64) - 1), st.binary(min_size=20, max_size=20), st.data())
def test_no_byte_can_be_added_or_taken(number: int, account: bytes, data: st.DataObject) -> None:
    address = InteroperableAddress.from_caip(f"eip155:{number}:0x{account.hex()}")
    encoded = address.to_bytes()
    assert InteroperableAddress.from_bytes(encoded) == address
    assert address.ledger == f"eip155:{number}"
    assert address.chain.to_bytes() == InteroperableAddress.from_caip(address.ledger).to_bytes()
    cut = data.draw(st.integers(0, len(encoded) - 1))
    for other in (encoded[:cut], encoded + data.draw(st.binary(min_size=1, max_size=4))):
        with pytest.raises(InvalidInteroperableAddress):
            InteroperableAddress.from_bytes(other)


@pytest.mark.parametrize("namespace", sorted(PROVISIONAL_CHAIN_TYPES))
def test_provisional_chain_types_round_trip(namespace: str) -> None:
    text = f"{namespace}:a-chain_1:account.1"
    address = InteroperableAddress.from_caip(text)
    assert address.chain_type == PROVISIONAL_CHAIN_TYPES[namespace] >= 0xFF00
    assert InteroperableAddress.from_bytes(address.to_bytes()) == address
    assert address.ledger == f"{namespace}:a-chain_1"


@pytest.mark.parametrize("text", ["bip122:000000000019d6689c085ae165831e93", "lip9:9ee11e9df416"])
def test_a_namespace_without_chain_type_is_refused(text: str) -> None:
    with pytest.raises(InvalidLedgerId):
        InteroperableAddress.from_caip(text)


@pytest.mark.parametrize(
    "encoded",
    [("0001abcd010100"), "0001ff010361206200", "0001ff0101ff00", "0001000020" + "ff" * 32 + "00"],
)
def test_a_chain_that_caip_2_cannot_name_has_no_ledger(encoded: str) -> None:
    with pytest.raises(InvalidLedgerId):
        _ = InteroperableAddress.from_bytes(bytes.fromhex(encoded)).ledger


@pytest.mark.parametrize("chain_type", [-1, 1 << 16])
def test_a_chain_type_has_two_bytes(chain_type: int) -> None:
    with pytest.raises(InvalidInteroperableAddress):
        InteroperableAddress(chain_type, b"a", b"")


@pytest.mark.parametrize(("reference", "address"), [(bytes(256), b""), (b"a", bytes(256))])
def test_no_part_exceeds_its_length_byte(reference: bytes, address: bytes) -> None:
    with pytest.raises(InvalidInteroperableAddress):
        InteroperableAddress(0xFF01, reference, address)


# The malformed cases of OpenZeppelin's own tests (InteroperableAddress, 5.x).
@pytest.mark.parametrize(
    "encoded",
    [
        "00020000010100",  # another version
        "00010042",  # no length of the reference
        "000100420101",  # no length of the address
        f"00010042010114{VITALIK[:-4]}",  # an address two bytes short
        "000100420000",  # neither reference nor address
        f"00010000010112{VITALIK[:-4]}",  # an EVM account of 18 bytes
    ],
)
def test_what_openzeppelin_refuses_is_refused(encoded: str) -> None:
    with pytest.raises(InvalidInteroperableAddress):
        InteroperableAddress.from_bytes(bytes.fromhex(encoded))


def test_a_chain_number_of_33_bytes_is_no_evm_chain() -> None:
    address = InteroperableAddress.from_bytes(bytes.fromhex(f"0001000021{'2d' * 33}14{VITALIK}"))
    with pytest.raises(InvalidLedgerId):
        _ = address.ledger
