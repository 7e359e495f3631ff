"""The site of the documentation: built strictly, from this repository alone."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

# As `mkdocs`, but whatever reaches for the network fails.
_OFFLINE = """\
import runpy, sys

def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        raise OSError(f"{event} {arguments[1:]}")

sys.addaudithook(refuse)
sys.argv[0] = "mkdocs"
runpy.run_module("mkdocs", run_name="__main__")
"""
_FETCHED = re.compile(
    r"<(?:script|link|img|iframe|source)\b[^>]*\b(?:src|href)=[\"']?((?:https?:)?//[^\"'\s>]+)"
)
_FETCHED_BY_STYLE = re.compile(r"(?:@import|url\()\s*[\"']?((?:https?:)?//[^\"')\s]+)")


def _build(configuration: Path, target: Path) -> subprocess.CompletedProcess[str]:
    command = ["build", "--strict", "-f", str(configuration), "-d", str(target)]
    return subprocess.run(
        [sys.executable, "-c", _OFFLINE, *command],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.fixture(scope="module")
def site(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site")
    done = _build(repository / "mkdocs.yml", target)
    assert done.returncode == 0, done.stdout + done.stderr
    return target


def test_the_site_has_every_page(site, repository):
    docs = repository / "docs"
    pages = {page.relative_to(docs).with_suffix(".html") for page in docs.rglob("*.md")}
    assert pages <= {page.relative_to(site) for page in site.rglob("*.html")}


def test_the_python_reference_says_what_the_docstrings_say(site):
    page = (site / "reference" / "python.html").read_text("utf-8")
    assert "Find models by a part of their name or id" in page
    assert "A licence that the home ledger has recorded, and its price" in page


def test_a_page_of_the_site_fetches_nothing_from_elsewhere(site):
    fetched = [
        f"{file.relative_to(site)}: {address}"
        for kind, pattern in (("html", _FETCHED), ("css", _FETCHED_BY_STYLE))
        for file in site.rglob(f"*.{kind}")
        for address in pattern.findall(file.read_text("utf-8"))
    ]
    assert fetched == []


def test_links_to_nowhere_fail_the_build(repository, tmp_path):
    text = "# Page\n\n[a](no.md) [b](#none) [c](../README.md) ![d](no.svg)\n"
    done = _build(_small_site(repository, tmp_path, {"index.md": text}), tmp_path / "site")
    assert done.returncode != 0
    for link in ("no.md", "#none", "README.md", "no.svg"):
        assert f"contains a link '{link}'" in done.stderr or f"'../{link}'" in done.stderr


def test_a_page_that_the_navigation_forgets_fails_the_build(repository, tmp_path):
    pages = {"index.md": "# Page\n", "lost.md": "# Lost\n"}
    done = _build(_small_site(repository, tmp_path, pages), tmp_path / "site")
    assert done.returncode != 0
    assert "lost.md" in done.stderr


def test_a_small_site_without_faults_is_built(repository, tmp_path):
    text = "# Page\n\n## One heading, two\n\n[above](#one-heading-two)\n"
    done = _build(_small_site(repository, tmp_path, {"index.md": text}), tmp_path / "site")
    assert done.returncode == 0, done.stderr


def test_the_pages_made_from_the_program_are_what_it_says(repository):
    done = subprocess.run(
        [sys.executable, "scripts/reference", "--check"],
        cwd=repository,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{done.stderr}run `make reference`"


def _small_site(repository: Path, folder: Path, pages: dict[str, str]) -> Path:
    """Give the configuration of a site with these pages, checked as ours is."""
    (folder / "docs").mkdir()
    for name, text in pages.items():
        (folder / "docs" / name).write_text(text)
    configuration = folder / "mkdocs.yml"
    configuration.write_text(
        f"INHERIT: {repository / 'mkdocs.yml'}\nplugins: [search]\nnav: [index.md]\n"
    )
    return configuration
