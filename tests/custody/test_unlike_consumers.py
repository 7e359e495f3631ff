"""Consumers of ledgers whose accounts and keys are unlike get their keys, and nobody else does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from share_requests import NOW, custodian_keys
from trusted_dealer import deal

from caimi.custody.custodian import Custodian
from caimi.custody.delivery import RecipientKey
from caimi.custody.grants import LedgerGrants
from caimi.custody.label import label_for
from caimi.custody.request import ShareRequest, SignedShareRequest
from caimi.custody.response import ShareResponse
from caimi.custody.tdh2 import encrypt
from caimi.custody.tombstones import FileTombstones
from caimi.custody.unlock import unlock
from caimi.errors.custody import GrantRefused, InvalidRequestSignature, NotEnoughShares
from caimi.keystore import LocalSigner
from caimi.ledgers.machine.ledger import MachineLedger
from caimi.ledgers.port import Ledger, Wallet
from lying_world import LyingLedger
from memory_ledger import MemoryChain

KEYS = deal(2, 3)
GROUP = KEYS[0].group
SIGNERS = custodian_keys(3)
SECRET = b"the key of a model"


@dataclass(frozen=True)
class InProcess:
    """A way to a custodian that is here."""

    custodian: Custodian

    @property
    def index(self) -> int:
        return self.custodian.index

    @property
    def account(self) -> bytes:
        return self.custodian.key.account

    async def share(self, request: SignedShareRequest) -> ShareResponse:
        return await self.custodian.answer(request)


class Market:
    """A model at home on a ledger of words, which custodians follow with one that is unlike it."""

    def __init__(self, folder: Path) -> None:
        self.chain = MemoryChain("near")
        self.home, self.other = MachineLedger(self.chain), LyingLedger(2)
        self.publisher = self.chain.enrol("publisher")
        self.consumer = self.home.accounts.wallet(self.chain.enrol("consumer"))
        self.stranger = self.home.accounts.wallet(self.chain.enrol("stranger"))
        self.abroad = self.other.accounts.wallet(LocalSigner.generate())
        self._folder = folder
        self.custodians = self.following([self.home, self.other])

    def following(self, ledgers: Sequence[Ledger]) -> list[InProcess]:
        """Make the custodians, who follow these ledgers."""
        followed = LedgerGrants({ledger.id: ledger for ledger in ledgers})
        return [
            InProcess(
                Custodian(
                    key,
                    signer,
                    followed,
                    FileTombstones(self._folder / f"{key.index}"),
                    lambda: float(NOW),
                )
            )
            for key, signer in zip(KEYS, SIGNERS, strict=True)
        ]

    async def sell(self, *licensed: Wallet) -> None:
        """Publish the model, and grant licences."""
        here = self.home
        await here.submit(here.registry.publish("m", "1.0.0", b"\1" * 32), self.publisher)
        account = self.chain.account(self.publisher.account)
        self.model = here.registry.model_id(account, "m")
        for wallet in licensed:
            granted = here.market.grant(self.model, "1.0.0", wallet.account)
            await here.submit(granted, self.publisher)
        self.sealed = encrypt(GROUP.public_key, SECRET, label_for(self.model, "1.0.0"))

    def request(self, consumer: str, recipient: RecipientKey) -> ShareRequest:
        return ShareRequest(
            ledger=self.home.id,
            model_id=self.model,
            version="1.0.0",
            consumer=consumer,
            hpke_public_key=recipient.public_bytes,
            ciphertext=self.sealed.to_bytes(),
            issued_at=NOW,
        )

    async def open(self, signed: SignedShareRequest, recipient: RecipientKey) -> bytes:
        found = await unlock(self.sealed, signed, recipient, self.custodians, GROUP)
        return found.secret


@pytest.fixture
def market(tmp_path: Path) -> Market:
    return Market(tmp_path)


async def test_a_consumer_whose_account_is_a_word_gets_its_key(market: Market) -> None:
    await market.sell(market.consumer)
    recipient = RecipientKey.generate()
    request = market.request("local:near:consumer", recipient)
    signed = SignedShareRequest.from_json(request.sign(market.consumer).to_json())
    assert await market.open(signed, recipient) == SECRET


async def test_a_consumer_of_another_family_than_the_home_gets_its_key(market: Market) -> None:
    await market.sell(market.abroad)
    recipient = RecipientKey.generate()
    signed = market.request(market.abroad.name, recipient).sign(market.abroad)
    assert await market.open(signed, recipient) == SECRET


async def test_what_another_signed_opens_nothing(market: Market) -> None:
    await market.sell(market.consumer, market.abroad)
    recipient = RecipientKey.generate()
    wallets = (market.consumer, market.stranger, market.abroad)
    for consumer in (market.consumer, market.abroad):
        request = market.request(consumer.name, recipient)
        for wallet in wallets:
            if wallet is consumer:
                continue
            with pytest.raises(InvalidRequestSignature):
                request.sign(wallet)
            forged = request.sign_for_contract(wallet)
            with pytest.raises(InvalidRequestSignature):
                await market.custodians[0].custodian.answer(forged)
            with pytest.raises(NotEnoughShares, match="CAIMI-K007"):
                await market.open(forged, recipient)


async def test_a_signature_counts_for_no_other_request(market: Market) -> None:
    await market.sell(market.consumer, market.stranger)
    request = market.request(market.consumer.name, RecipientKey.generate())
    signed = request.sign(market.consumer)
    for change in (
        {"consumer": market.stranger.name},
        {"hpke_public_key": RecipientKey.generate().public_bytes},
        {"nonce": b"\x09" * 32},
        {"issued_at": NOW + 1},
    ):
        other = replace(signed, request=replace(request, **change))
        with pytest.raises(InvalidRequestSignature):
            await market.custodians[0].custodian.answer(other)


async def test_a_consumer_whose_ledger_no_custodian_follows_is_refused_by_name(
    market: Market,
) -> None:
    await market.sell(market.abroad)
    recipient = RecipientKey.generate()
    signed = market.request(market.abroad.name, recipient).sign(market.abroad)
    custodian, *_ = market.following([market.home])
    with pytest.raises(GrantRefused, match=f"does not follow the ledger of {market.abroad.name}"):
        await custodian.share(signed)
