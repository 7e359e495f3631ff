"""Contract accounts, assembled by hand: a wallet with an owner's key, and some that misbehave."""

from caimi.ledgers.evm.abi.calls import EvmCall, contract_creation, nothing

OPS = {
    name: code
    for code, names in {
        0x00: "STOP", 0x03: "SUB", 0x14: "EQ", 0x15: "ISZERO", 0x1A: "BYTE", 0x1B: "SHL",
        0x1C: "SHR", 0x33: "CALLER", 0x35: "CALLDATALOAD", 0x36: "CALLDATASIZE",
        0x37: "CALLDATACOPY", 0x39: "CODECOPY", 0x50: "POP", 0x51: "MLOAD", 0x52: "MSTORE",
        0x54: "SLOAD", 0x55: "SSTORE", 0x56: "JUMP", 0x57: "JUMPI", 0x5A: "GAS",
        0x5B: "JUMPDEST", 0x5F: "PUSH0", 0x80: "DUP1", 0x82: "DUP3", 0xF1: "CALL",
        0xF3: "RETURN", 0xFA: "STATICCALL", 0xFD: "REVERT",
    }.items()
    for name in [names]
}  # fmt: skip


def assemble(text):
    """Words are opcodes, hexadecimal constants, ``:label`` (its place), or ``@label`` (push it)."""
    code, labels, holes = bytearray(), {}, []
    for word in text.split():
        if word in OPS:
            code.append(OPS[word])
        elif word.startswith(":"):
            labels[word[1:]] = len(code)
            code.append(OPS["JUMPDEST"])
        elif word.startswith("@"):
            holes.append((len(code) + 1, word[1:]))
            code += b"\x61\x00\x00"
        else:
            data = bytes.fromhex(word)
            code += bytes([0x5F + len(data)]) + data
    for place, label in holes:
        code[place : place + 2] = labels[label].to_bytes(2)
    return bytes(code)


WALLET = assemble("""
    CALLDATASIZE ISZERO @take JUMPI
    PUSH0 CALLDATALOAD e0 SHR 1626ba7e EQ @ask JUMPI
    PUSH0 SLOAD CALLER EQ ISZERO @fail JUMPI
    CALLDATASIZE 20 EQ @own JUMPI
    34 CALLDATASIZE SUB DUP1 34 PUSH0 CALLDATACOPY
    PUSH0 PUSH0 DUP3 PUSH0 14 CALLDATALOAD PUSH0 CALLDATALOAD 60 SHR GAS CALL
    ISZERO @fail JUMPI STOP
    :take STOP
    :fail PUSH0 PUSH0 REVERT
    :own PUSH0 CALLDATALOAD PUSH0 SSTORE STOP
    :ask 04 CALLDATALOAD PUSH0 MSTORE a4 CALLDATALOAD PUSH0 BYTE 20 MSTORE
    64 CALLDATALOAD 40 MSTORE 84 CALLDATALOAD 60 MSTORE
    20 PUSH0 80 PUSH0 01 GAS STATICCALL POP
    PUSH0 MLOAD PUSH0 SLOAD EQ ISZERO @no JUMPI
    1626ba7e e0 SHL PUSH0 MSTORE 20 PUSH0 RETURN
    :no PUSH0 PUSH0 MSTORE 20 PUSH0 RETURN
""")
"""Takes its owner's ECDSA signatures (ERC-1271), and does what its owner says.

Takes coins from anybody. Sent by its owner, 32 bytes are the next owner; else they are target (20),
value (32) and data to call with.
"""

MISBEHAVING = {
    "reverts": assemble("PUSH0 PUSH0 REVERT"),
    "says nothing": assemble("STOP"),
    "says yes without a word's length": assemble("1626ba7e e0 SHL PUSH0 MSTORE 04 PUSH0 RETURN"),
    "says yes and more": assemble("1626ba7e e0 SHL PUSH0 MSTORE 0f4240 PUSH0 RETURN"),
    "says another word": assemble("ffffffff e0 SHL PUSH0 MSTORE 20 PUSH0 RETURN"),
    "says true": assemble("01 PUSH0 MSTORE 20 PUSH0 RETURN"),
    "never ends": assemble(":again @again JUMP"),
    "is no code": bytes([0xFE]),
}
"""Contracts that approve of nothing, whatever they are asked."""

AGREEABLE = assemble("1626ba7e e0 SHL PUSH0 MSTORE 20 PUSH0 RETURN")
"""Approves of everything."""


def creation(ledger, code, owner=bytes(20)):
    """Build the call that creates a contract with this code, owned by `owner`."""
    start = assemble(f"{owner.hex()} PUSH0 SSTORE")
    size = len(code).to_bytes(2).hex()
    # The copying is 13 bytes long, and the code follows it.
    offset = (len(start) + 13).to_bytes(2).hex()
    copy = assemble(f"{size} {offset} PUSH0 CODECOPY {size} PUSH0 RETURN")
    assert len(copy) == 13
    return contract_creation(ledger.id, "Creating a contract", start + copy + code)


def through(ledger, wallet, call):
    """Build the call by which the wallet's owner has the wallet make `call`."""
    data = call.target + call.value.to_bytes(32) + call.data
    return EvmCall(ledger.id, f"{call.what}, as a contract", wallet, data, 0, nothing)


def owned_by(ledger, wallet, owner):
    """Build the call by which the wallet's owner gives it another."""
    return EvmCall(ledger.id, "Giving the wallet an owner", wallet, bytes(12) + owner, 0, nothing)
