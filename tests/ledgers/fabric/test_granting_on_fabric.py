"""What `caimi grant` and `caimi revoke` do, on a channel that keeps the models itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from site_of_stand_in import FabricSite

from caimi.client.context import Context
from caimi.client.granting import grant, revoke
from caimi.client.keyring import Identity
from caimi.errors.operations import AlreadyLicensed, NotLicensed, NotTheOwner
from caimi.keystore import LocalSigner
from caimi.ledgers.machine.ledger import MachineLedger
from caimi.ledgers.port import Account, GrantedLicence, RevokedLicence
from caimi.persistence.factory import journal_in
from caimi.storage.local import LocalStore
from caimi.uri import ModelUri


@pytest.fixture
async def site(tmp_path: Path) -> FabricSite:
    return await FabricSite.named("near", tmp_path)


@pytest.fixture
async def ledger(site: FabricSite) -> AsyncIterator[MachineLedger]:
    opened = site.open()
    yield opened
    await opened.aclose()


async def person(name: str, site: FabricSite, ledger: MachineLedger, folder: Path) -> Context:
    key = await site.wallet(name)
    identity = Identity(name, LocalSigner.generate(), None, elsewhere={ledger.id: key})
    return Context(
        ledgers={ledger.id: ledger},
        store=LocalStore(folder / "store"),
        journal=journal_in(folder / f"{name}.sqlite"),
        keys=identity,
        group=None,
        custodians=(),
        carry=site.advance,
    )


async def test_a_licence_is_granted_and_revoked_on_a_channel(
    site: FabricSite, ledger: MachineLedger, tmp_path: Path
) -> None:
    alice, bob = [await person(name, site, ledger, tmp_path) for name in ("alice", "bob")]
    call = ledger.registry.publish("m", "1.0.0", b"\x11" * 32)
    await ledger.submit(call, alice.identity.signer_on(ledger.id))
    model_id = ledger.registry.model_id(alice.identity.account(ledger.id), "m")
    uri = ModelUri(ledger.id, model_id, "1.0.0")
    at_home = bob.identity.account(ledger.id)

    async def live(reader: Account) -> bool:
        return (await ledger.market.licence(model_id, "1.0.0", reader)).live

    with pytest.raises(NotTheOwner):
        await grant(bob, uri, at_home)
    given = await grant(alice, uri, at_home)
    assert given.consumer == bob.name(at_home)
    with pytest.raises(AlreadyLicensed):
        await grant(alice, uri, at_home)
    with pytest.raises(NotTheOwner):
        await revoke(bob, uri, at_home)
    assert await live(at_home)
    taken = await revoke(alice, uri, at_home)
    assert taken.licence_id == given.licence_id
    assert not await live(at_home)
    with pytest.raises(NotLicensed):
        await revoke(alice, uri, at_home)
    told = [type(each.fact) for each in await ledger.registry.history(model_id)]
    assert [each for each in told if each in (GrantedLicence, RevokedLicence)] == [
        GrantedLicence,
        RevokedLicence,
    ]
    for each in (alice, bob):
        each.journal.close()
