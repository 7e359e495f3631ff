import pytest

from caimi.custody.label import label_for
from caimi.errors.custody import MalformedEncoding


def test_a_label_is_the_tag_the_model_and_the_hash_of_the_version():
    label = label_for(b"\x11" * 32, "1.0.0")
    digest = "92521fc3cbd964bdc9f584a991b89fddaa5754ed1cc96d6d42445338669c1305"
    assert label == b"caimi/key/v1" + b"\x11" * 32 + bytes.fromhex(digest)


def test_models_and_versions_have_labels_of_their_own():
    labels = {label_for(bytes([m]) * 32, v) for m in (1, 2) for v in ("1.0", "1.0.0", "1.0.0 ")}
    assert len(labels) == 6


def test_versions_of_1_to_128_characters_have_labels():
    for version in ("1", "1" * 128):
        assert len(label_for(bytes(32), version)) == 76
    with pytest.raises(MalformedEncoding, match="1 to 128 characters, not 129"):
        label_for(bytes(32), "1" * 129)


@pytest.mark.parametrize(
    ("model_id", "version"),
    [(b"", "1"), (bytes(31), "1"), (bytes(32), ""), (bytes(32), "1" * 129), (bytes(32), "\ud800")],
)
def test_a_malformed_model_or_version_has_no_label(model_id, version):
    with pytest.raises(MalformedEncoding):
        label_for(model_id, version)
