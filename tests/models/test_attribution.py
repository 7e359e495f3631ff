"""A signature counts for the model, version and publisher that it was made for, and no other."""

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealed_world import MODEL_ID, PUBLISHER, SIGNER, World

from caimi.errors.ids import InvalidAccountId
from caimi.errors.models import InvalidPackageSignature, SignatureMisplaced
from caimi.models.attribution import signed_name
from caimi.models.signing import PackageSigner
from caimi.models.verification import verify_signature

STRANGER = PackageSigner.generate()
OTHER = "eip155:31337:0x8617E340B3D01FA5F11F306F4090FD50E238070D"
ELSEWHERE = PUBLISHER.replace("31337", "1")


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return World(tmp_path_factory.mktemp("attribution"), {"a.bin": b"weights"}).published()


def test_a_signed_name_tells_home_model_version_and_account():
    assert signed_name(MODEL_ID, "1.0.0", PUBLISHER) == (
        f"caimi:eip155:31337:0x{MODEL_ID.hex()}@1.0.0 by {PUBLISHER}"
    )
    with pytest.raises(InvalidAccountId):
        signed_name(MODEL_ID, "1.0.0", "nobody")


def test_what_was_published_is_signed_as_what_it_is(manifest):
    files = {file.path: file.sha256 for file in manifest.files}
    name = signed_name(manifest.model_id, manifest.version, manifest.publisher)
    verify_signature(manifest, SIGNER.sign(name, files))
    old = SIGNER.sign(f"0x{manifest.model_id.hex()}", files)
    with pytest.raises(SignatureMisplaced, match="not for 'caimi:"):
        verify_signature(manifest, old)


SAID = st.tuples(
    st.sampled_from((MODEL_ID, hashlib.sha256(b"another").digest())),
    st.sampled_from(("1.0.0", "2.0.0")),
    st.sampled_from((PUBLISHER, OTHER, ELSEWHERE)),
)


@given(SAID, SAID, st.booleans(), st.booleans())
def test_a_signature_moves_to_no_other_model_version_publisher_key_or_files(
    manifest, signed, named, own_key, own_files
):
    files = {file.path: file.sha256 for file in manifest.files}
    signer = SIGNER if own_key else STRANGER
    bundle = signer.sign(signed_name(*signed), files if own_files else {"a.bin": bytes(32)})
    model_id, version, publisher = named
    claimed = replace(manifest, model_id=model_id, version=version, publisher=publisher)
    if signed == named and own_key and own_files:
        verify_signature(claimed, bundle)
    else:
        with pytest.raises(InvalidPackageSignature):
            verify_signature(claimed, bundle)
