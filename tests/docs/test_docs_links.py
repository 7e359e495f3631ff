"""Where the documents point, there is something."""

import re
from pathlib import Path

from markdown_page import MarkdownPage

_TEST_REFERENCE = re.compile(r"^((?:tests|contracts)/[\w./-]+)::([\w:]+)$")


def test_every_relative_link_leads_to_a_file_and_a_heading(repository, documents):
    broken = []
    for document in documents:
        for link in MarkdownPage.read(repository / document).links:
            if re.match(r"[a-z][a-z0-9+.-]*:", link):
                continue
            path, _, anchor = link.partition("#")
            target = (repository / document.parent / path) if path else repository / document
            if not target.exists() or (anchor and anchor not in MarkdownPage.read(target).anchors):
                broken.append(f"{document}: {link}")
    assert broken == []


def test_every_test_that_a_document_names_exists(repository, documents):
    missing = [
        f"{document}: {path}::{name}"
        for document in documents
        for path, name in _test_references(repository / document)
        if not _defines(repository / path, name)
    ]
    assert missing == []


def test_the_threat_model_names_a_test_for_what_it_claims(repository):
    assert _test_references(repository / "docs" / "threat-model.md")


def _test_references(document: Path) -> list[tuple[str, str]]:
    spans = MarkdownPage.read(document).spans
    return [match.groups() for span in spans if (match := _TEST_REFERENCE.match(span))]


def _defines(path: Path, name: str) -> bool:
    if not path.is_file():
        return False
    text = path.read_text(encoding="utf-8")
    keyword = "contract|function" if path.suffix == ".sol" else "class|def"
    return all(re.search(rf"\b(?:{keyword})\s+{part}\b", text) for part in name.split("::"))
