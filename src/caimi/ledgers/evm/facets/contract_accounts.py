"""Whether a contract account takes a signature as its own: ERC-1271, asked without effect.

The contract is anybody's code: it is given bounded gas, and any answer but the one counts as no.
"""

from __future__ import annotations

from typing import Final

from caimi.errors.ledgers import LedgerAnswerInvalid, LedgerUnavailable
from caimi.ledgers.evm.abi.interface import encode
from caimi.ledgers.evm.abi.quantities import data, hexed
from caimi.ledgers.evm.rpc.chain import Chain
from caimi.ledgers.evm.rpc.client import RpcRefusal
from caimi.ledgers.evm.rpc.contract import address_on
from caimi.ledgers.port import NEWEST, Account, At

GAS: Final = 1_000_000
_SELECTOR: Final = bytes.fromhex("1626ba7e")
_YES: Final = _SELECTOR + bytes(28)


class EvmContractAccounts:
    """The contract accounts of one EVM ledger (port `ContractAccounts`)."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    async def approves(
        self, who: Account, digest: bytes, signature: bytes, at: At = NEWEST
    ) -> bool:
        """Tell whether there is a contract at `who` that takes `signature` of `digest`.

        Raises:
            LedgerUnavailable: the node does not answer.
        """
        chain = self._chain
        call = _SELECTOR + encode(["bytes32", "bytes"], [digest, signature])
        address = address_on(chain.ledger, who)
        asked = {"to": hexed(address), "data": hexed(call), "gas": hex(GAS)}
        try:
            answer = await chain.rpc.ask("eth_call", asked, await chain.tag(at))
        except RpcRefusal as refusal:
            error = chain.refused("Asking a contract account", refusal)
            if isinstance(error, LedgerUnavailable):
                raise error from refusal
            return False
        try:
            return data(answer) == _YES
        except LedgerAnswerInvalid:
            return False
