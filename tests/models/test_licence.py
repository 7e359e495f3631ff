import pytest

from caimi.errors.models import ManifestMalformed
from caimi.models.licence import check_licence


@pytest.mark.parametrize(
    "text",
    ["MIT", "Apache-2.0", "GPL-2.0+", "MIT OR Apache-2.0", "(MIT AND BSD-3-Clause) OR ISC",
     "GPL-2.0-only WITH Classpath-exception-2.0", "LicenseRef-Acme-1", "((MIT))",
     "DocumentRef-spdx:LicenseRef-x"],
)  # fmt: skip
def test_spdx_expressions_are_accepted(text):
    assert check_licence(text) == text


@pytest.mark.parametrize(
    "text",
    ["", " ", "MIT!", "MIT Apache-2.0", "MIT OR", "OR MIT", "(MIT", "MIT)", "()", "WITH",
     "MIT AND OR X",
     "GPL-2.0-only WITH (MIT)", "-MIT", "MIT/Apache", "x" * 257, "MIT\nOR X\0"],
)  # fmt: skip
def test_other_texts_are_refused(text):
    with pytest.raises(ManifestMalformed):
        check_licence(text)
