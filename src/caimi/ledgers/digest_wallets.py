"""Wallets of ledgers whose accounts sign the digest of a statement."""

from __future__ import annotations

from functools import cached_property

from caimi.ledgers.port import Account, AccountCodec, LedgerId, Signer, Statement, name_of


class DigestWallet:
    """A key's account on one ledger (port `Wallet`)."""

    def __init__(self, ledger: LedgerId, codec: AccountCodec, signer: Signer) -> None:
        self.account = Account(ledger, signer.account)
        self._codec = codec
        self._signer = signer

    @cached_property
    def name(self) -> str:
        return name_of(self.account, self._codec)

    def sign_statement(self, statement: Statement) -> bytes:
        """Sign the statement's digest."""
        return self._signer.sign_digest(self._codec.digest(statement))
