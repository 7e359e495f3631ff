"""Manifests of the first schema, as they were written: the same bytes, the same digest."""

import dataclasses
import json
from pathlib import Path

import pytest
import rfc8785
from test_manifest import EXAMPLE

from caimi.errors.models import ManifestMalformed
from caimi.models.ancestry import FIRST_SCHEMA, SCHEMA, Contributor
from caimi.models.manifest import Manifest

RECORDED = (Path(__file__).parent / "first_manifest.json").read_bytes()
DIGEST = "b2f360c25d305e7eab36a2044f6b13a73807d181719fa768d8cf6e8f814bb730"
"""What a ledger holds of it: it was written by the release before."""


def changed(**changes):
    return rfc8785.dumps(json.loads(RECORDED) | changes)


def test_one_is_read_with_its_parent_and_keeps_its_bytes_and_digest():
    manifest = Manifest.parse(RECORDED)
    assert (manifest.schema, manifest.contributors) == (FIRST_SCHEMA, ())
    assert manifest.parents == (b"\x07" * 32,)
    assert manifest.canonical_bytes == RECORDED
    assert manifest.digest.hex() == DIGEST
    orphan = Manifest.parse(changed(parent=None))
    assert orphan.parents == ()
    assert orphan.canonical_bytes == changed(parent=None)


def test_it_is_another_than_the_same_said_in_todays_schema():
    manifest = Manifest.parse(RECORDED)
    today = dataclasses.replace(manifest, schema=SCHEMA)
    assert today.digest != manifest.digest
    assert Manifest.parse(today.canonical_bytes) == today != manifest


@pytest.mark.parametrize(
    "change",
    [{"parents": []}, {"contributors": []}, {"parent": "0" * 63}, {"parent": ["07" * 32]},
     {"schema": SCHEMA}],
)  # fmt: skip
def test_fields_of_the_other_schema_are_refused(change):
    with pytest.raises(ManifestMalformed):
        Manifest.parse(changed(**change))


def test_it_has_no_room_for_more():
    manifest = Manifest.parse(RECORDED)
    for change in (
        {"parents": (bytes(32), b"\x07" * 32)},
        {"contributors": (Contributor("local:one:bob", "data"),)},
    ):
        with pytest.raises(ManifestMalformed, match="no room"):
            dataclasses.replace(manifest, **change)
    with pytest.raises(ManifestMalformed, match="no room"):
        dataclasses.replace(EXAMPLE, schema="caimi/manifest/v0")
