import dataclasses

import pytest
from test_manifest import EXAMPLE

from caimi.errors.models import BrokenLineage, PackageError
from caimi.models.lineage import lineage
from caimi.storage import Cid, LocalStore


async def family(store, generations):
    chain = [child("1.0")]
    for n in range(generations):
        await store.put(chain[-1].canonical_bytes)
        chain.append(child(f"1.{n + 1}", chain[-1]))
    return chain[::-1]


def child(version, *parents, **changes):
    digests = tuple(parent.digest for parent in parents)
    return dataclasses.replace(EXAMPLE, version=version, parents=digests, **changes)


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
    orphan = dataclasses.replace(EXAMPLE, parents=(bytes(32),))

    async def liar(cid):
        return EXAMPLE.canonical_bytes

    with pytest.raises(BrokenLineage):
        await lineage(orphan, liar)


async def test_a_parent_that_is_no_manifest_is_refused(store):
    cid = await store.put(b"{}")
    orphan = dataclasses.replace(EXAMPLE, parents=(cid.digest,))
    with pytest.raises(PackageError):
        await lineage(orphan, store.get)


async def test_a_version_that_claims_to_be_its_own_ancestor_is_refused(monkeypatch):
    """Only a broken hash function could make such a chain; the walk must end even then."""
    orphan = dataclasses.replace(EXAMPLE, parents=(bytes(32),))
    monkeypatch.setattr(Cid, "matches", lambda *_: True)

    async def always_the_child(cid):
        return orphan.canonical_bytes

    with pytest.raises(BrokenLineage, match="its own ancestor"):
        await lineage(orphan, always_the_child)


async def test_what_several_were_made_from_is_told_once_after_all_of_them(store):
    first, data = child("1.0"), child("2.0")
    left, right = child("3.0", first, data), child("4.0", first)
    youngest = child("5.0", right, left, first)
    for each in (first, data, left, right):
        await store.put(each.canonical_bytes)
    asked = []

    async def counted(cid):
        asked.append(cid)
        return await store.get(cid)

    found = await lineage(youngest, counted)
    assert sorted(each.version for each in found) == ["1.0", "2.0", "3.0", "4.0", "5.0"]
    assert len(set(asked)) == len(asked) == 4
    place = {each.digest: at for at, each in enumerate(found)}
    assert all(place[each.digest] < place[parent] for each in found for parent in each.parents)


async def test_the_longest_way_counts_where_a_shorter_one_leads_there_as_well(store):
    chain = await family(store, 3)
    youngest = child("9.0", chain[0], chain[3])
    await store.put(chain[0].canonical_bytes)
    assert len(await lineage(youngest, store.get, generations=4)) == 5
    with pytest.raises(BrokenLineage, match="3 generations"):
        await lineage(youngest, store.get, generations=3)


async def test_more_ancestors_than_allowed_are_refused_and_not_all_fetched(store):
    parents = [child(f"1.{number}") for number in range(16)]
    for each in parents:
        await store.put(each.canonical_bytes)
    asked = []

    async def counted(cid):
        asked.append(cid)
        return await store.get(cid)

    youngest = child("2.0", *parents)
    assert len(await lineage(youngest, counted, ancestors=16)) == 17
    asked.clear()
    with pytest.raises(BrokenLineage, match="over 5 ancestors"):
        await lineage(youngest, counted, ancestors=5)
    assert len(asked) == 5


async def test_versions_that_claim_each_other_are_refused(monkeypatch):
    one = dataclasses.replace(EXAMPLE, parents=(b"\x02" * 32,))
    other = dataclasses.replace(EXAMPLE, parents=(b"\x01" * 32,))
    told = {Cid(b"\x01" * 32): one, Cid(b"\x02" * 32): other}
    monkeypatch.setattr(Cid, "matches", lambda *_: True)

    async def fetch(cid):
        return told[cid].canonical_bytes

    with pytest.raises(BrokenLineage, match="its own ancestor"):
        await lineage(one, fetch)


async def test_a_notebook_shows_a_row_a_version_and_no_html_of_theirs(store):
    parent = child("1.0", name="<b>parent</b>")
    await store.put(parent.canonical_bytes)
    text = (await lineage(child("1.1", parent), store.get))._repr_html_()
    assert text.count("<tr>") == 3
    assert "&lt;b&gt;parent" in text
    assert "<b>parent" not in text
