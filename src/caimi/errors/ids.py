"""Errors of URIs, accounts and ledger ids (letter U)."""

from __future__ import annotations

from caimi.errors.base import CaimiError


class InvalidModelUri(CaimiError):
    """A text does not name a model."""

    code = "CAIMI-U001"
    why = "A model is named caimi:<CAIP-2 ledger>:<0x and 64 hex digits>[@<version or alias>]."
    next_step = "Copy the URI from `caimi search`."


class InvalidLedgerId(CaimiError):
    """A text is no CAIP-2 chain id."""

    code = "CAIMI-U002"
    why = "A ledger is named <namespace>:<reference>, such as eip155:1 (CAIP-2)."
    next_step = "Use the id that caimi.toml lists."


class InvalidAccountId(CaimiError):
    """A text is no CAIP-10 account id."""

    code = "CAIMI-U003"
    why = "An account is named <ledger>:<address>, such as eip155:1:0x… (CAIP-10)."
    next_step = "Write the ledger's id, a colon, and the address."


class InvalidInteroperableAddress(CaimiError):
    """Bytes are no interoperable address."""

    code = "CAIMI-U004"
    why = "ERC-7930 version 1 addresses have one canonical form, and these bytes are not in it."
    next_step = "Have the sender correct the encoding; nothing was done with it."


class InvalidMerkleTree(CaimiError):
    """A Merkle tree cannot be made of these leaves."""

    code = "CAIMI-U005"
    why = "A tree is over one or more leaf hashes of 32 bytes."
    next_step = "Hash every leaf first, and leave out empty batches."


class InvalidMerkleProof(CaimiError):
    """A Merkle proof cannot be made, or does not hold."""

    code = "CAIMI-U006"
    why = "The proof does not lead from the leaf to the root."
    next_step = "Ask for the proof again; do not trust what it was meant to prove."


class InvalidName(CaimiError):
    """A text is no name, where it would become a part of a file's name."""

    code = "CAIMI-U010"
    why = "A name begins with a-z or 0-9 and has at most 64 of a-z, 0-9, _ and -."
    next_step = "Choose such a name, alice or model-2 for example."
