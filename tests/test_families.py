"""Families of ledgers are found by entry point, and are asked what their sections may say."""

import sys
from pathlib import Path

import pytest

from caimi import families
from caimi.composition.ledgers import family_of
from caimi.composition.sandboxes import sandbox_kind
from caimi.config import LedgerSection, load_config
from caimi.demo.world import start_world
from caimi.errors.operations import ConfigInvalid, FamilyUnusable, UnknownFamily, UsageError
from caimi.families import family_names, find_family, sandbox_names
from caimi.ledgers.evm.family import EVM

FAMILY = """
from pydantic import BaseModel, ConfigDict

class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    place: str

class Toy:
    settings = Settings
    places = None
    keys = None
    administration = None
    def accounts(self, section): return None
    def prepare(self, section, *, price_cap=None): return section.settings.place
    def views(self, section): return {"it": self.prepare(section)}
    def quorum(self, section): return None
    async def start(self, stack, place, people): return place

TOY = Toy()
LESS = type("Less", (), {"settings": Settings})()
NOTHING = 5
"""
SECTION = {"id": "toys:box", "name": "box", "place": "on the shelf"}


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Installs a distribution that offers `toy` for namespace `toys`."""

    def offer(name="toy-ledgers", *, given="TOY", family="toy", namespace="toys", source=FAMILY):
        module = name.replace("-", "_")
        folder = tmp_path / name
        about = folder / f"{module}-1.dist-info"
        about.mkdir(parents=True)
        (folder / f"{module}.py").write_text(source)
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        (about / "entry_points.txt").write_text(
            f"[caimi.families]\n{family} = {module}:{given}\n"
            f"[caimi.namespaces]\n{namespace} = {module}:{given}\n"
            f"[caimi.sandboxes]\n{family} = {module}:{given}\n"
        )
        monkeypatch.syspath_prepend(str(folder))
        monkeypatch.delitem(sys.modules, module, raising=False)
        families._load.cache_clear()

    return offer


def test_the_evm_family_is_its_namespaces_and_goes_by_its_name():
    assert find_family("eip155:1") is EVM
    assert find_family("cosmos:hub", "evm") is EVM
    assert "evm" in family_names()


def test_a_family_of_another_distribution_is_found_and_asked(install):
    install()
    assert family_names() == ["evm", "fabric", "toy"]
    section = LedgerSection.model_validate(SECTION)
    assert family_of(section).prepare(section) == "on the shelf"


def test_a_section_names_a_family_that_its_namespace_is_not_of(install):
    install()
    section = LedgerSection.model_validate({**SECTION, "id": "eip155:420420419", "family": "toy"})
    assert family_of(section).prepare(section) == "on the shelf"


@pytest.mark.parametrize("wrong", [{"place": 5}, {"plaice": "x"}, {"rpc": "http://localhost"}])
def test_a_family_refuses_what_it_does_not_take_by_the_name_of_the_field(install, tmp_path, wrong):
    install()
    said = "\n".join(f"{key} = {value!r}" for key, value in {**SECTION, **wrong}.items())
    (tmp_path / "caimi.toml").write_text(f"[[ledgers]]\n{said}\n".replace("'", '"'))
    with pytest.raises(ConfigInvalid, match=f"ledgers.0: {next(iter(wrong))}: "):
        load_config(tmp_path / "caimi.toml")


def test_what_a_family_is_told_is_written_back_as_it_was_read(install):
    install()
    section = LedgerSection.model_validate(SECTION)
    assert section.model_dump(exclude_none=True) == SECTION


@pytest.mark.parametrize(
    ("ledger", "named", "said"),
    [("toys:box", None, "toys:box is of no family"), ("eip155:1", "toy", "is called 'toy'")],
)
def test_a_family_that_is_not_installed_is_named(ledger, named, said):
    with pytest.raises(UnknownFamily, match=f"{said}.*there are: evm"):
        find_family(ledger, named)


def test_two_distributions_never_answer_for_the_same_ledgers(install):
    install()
    install("other-toys")
    with pytest.raises(FamilyUnusable, match="other-toys, toy-ledgers"):
        find_family("toys:box")
    install("evil", family="evm", namespace="eip155")
    with pytest.raises(FamilyUnusable, match="caimi, evil"):
        find_family("eip155:1")


@pytest.mark.parametrize(
    ("given", "source"),
    [("NOTHING", FAMILY), ("MISSING", FAMILY), ("TOY", "raise RuntimeError('no')")],
)
def test_what_is_no_family_or_cannot_be_imported_is_named(install, given, source):
    install(given=given, source=source)
    with pytest.raises(FamilyUnusable, match="toy_ledgers"):
        find_family("toys:box")


def test_what_takes_settings_and_makes_no_ledgers_is_no_family(install):
    install(given="LESS")
    with pytest.raises(FamilyUnusable, match="toys:box is no family"):
        family_of(LedgerSection.model_validate(SECTION))


def test_a_kind_of_ledgers_to_try_things_on_is_found_by_name(install):
    install()
    assert sandbox_names() == ["anvil", "embedded", "fabric", "toy"]
    assert sandbox_kind("toy") is sys.modules["toy_ledgers"].TOY
    with pytest.raises(UsageError, match="kind 'ganache'; there are: anvil, embedded, fabric, toy"):
        sandbox_kind("ganache")


def test_what_starts_no_ledgers_is_no_kind_of_them(install):
    install(given="LESS")
    with pytest.raises(FamilyUnusable, match="'toy' starts no ledgers"):
        sandbox_kind("toy")


def test_two_distributions_never_start_ledgers_of_one_kind(install):
    install("evil", family="anvil")
    with pytest.raises(FamilyUnusable, match="caimi, evil"):
        sandbox_kind("anvil")


async def test_a_demonstration_has_no_more_kinds_than_ledgers(tmp_path):
    with pytest.raises(UsageError, match="3 ledgers, and 4 kinds"):
        async with start_world("anvil,anvil,anvil,anvil", tmp_path):
            pass


def test_nothing_of_a_family_is_imported_before_a_section_asks_for_it(install, tmp_path):
    mark = tmp_path / "imported"
    install(source=f"open({str(mark)!r}, 'w')\n{FAMILY}")
    find_family("eip155:1")
    assert not Path(mark).exists()
    find_family("toys:box")
    assert Path(mark).exists()
