import dataclasses

import pytest
from test_manifest import EXAMPLE

from caimi.errors.models import BrokenLineage, PackageError
from caimi.models import lineage
from caimi.storage import Cid, LocalStore


async def family(store, generations):
    chain = [EXAMPLE]
    for n in range(generations):
        await store.put(chain[-1].canonical_bytes)
        chain.append(dataclasses.replace(EXAMPLE, version=f"1.{n + 1}", parent=chain[-1].digest))
    return chain[::-1]


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path)


@pytest.mark.parametrize("generations", [0, 1, 5])
async def test_all_ancestors_are_given_newest_first(store, generations):
    chain = await family(store, generations)
    assert await lineage(chain[0], store.get) == tuple(chain)


async def test_a_missing_ancestor_is_named(store):
    chain = await family(store, 3)
    await store.delete(chain[2].cid)
    with pytest.raises(BrokenLineage, match=chain[2].digest.hex()):
        await lineage(chain[0], store.get)


async def test_a_chain_longer_than_allowed_is_refused(store):
    chain = await family(store, 3)
    assert len(await lineage(chain[0], store.get, generations=3)) == 4
    with pytest.raises(BrokenLineage):
        await lineage(chain[0], store.get, generations=2)


async def test_an_answer_with_another_manifest_is_refused():
    child = dataclasses.replace(EXAMPLE, parent=bytes(32))

    async def liar(cid):
        return EXAMPLE.canonical_bytes

    with pytest.raises(BrokenLineage):
        await lineage(child, liar)


async def test_a_parent_that_is_no_manifest_is_refused(store):
    cid = await store.put(b"{}")
    child = dataclasses.replace(EXAMPLE, parent=cid.digest)
    with pytest.raises(PackageError):
        await lineage(child, store.get)


async def test_a_version_that_claims_to_be_its_own_ancestor_is_refused(monkeypatch):
    """Only a broken hash function could make such a chain; the walk must end even then."""
    child = dataclasses.replace(EXAMPLE, parent=bytes(32))
    monkeypatch.setattr(Cid, "matches", lambda *_: True)

    async def always_the_child(cid):
        return child.canonical_bytes

    with pytest.raises(BrokenLineage, match="its own ancestor"):
        await lineage(child, always_the_child)
