"""The configuration is read strictly, and says what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from caimi.config import EXAMPLE, MAX_CONFIG_BYTES, Config, load_config
from caimi.errors.operations import ConfigInvalid, ConfigMissing, UnknownLedger

LEDGER = """
[[ledgers]]
id = "eip155:1"
name = "main"
rpc = "http://127.0.0.1:8545"
deployed_at = 3
[ledgers.contracts]
gateway = "0x1111111111111111111111111111111111111111"
"""
ENDPOINTS = """
[[ledgers]]
id = "eip155:1"
name = "main"
rpc = "http://127.0.0.1:8545"
endpoints = ["http://127.0.0.1:8546"]
deployed_at = 3
contracts = { gateway = "0x1111111111111111111111111111111111111111" }
"""

WORKER = """
[[workers]]
url = "https://worker.example.org:9100"
account = "0x1111111111111111111111111111111111111111"
ledger = "eip155:1"
trust = "a.pem"
"""
CUSTODIAN = """
[committee]
group_key = "0x01"
[[committee.custodians]]
index = 1
url = "https://node.example.org:9001"
account = "0x1111111111111111111111111111111111111111"
trust = "a.pem"
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "caimi.toml"
    file.write_text(text)
    return file


def test_the_example_is_valid_and_survives_its_own_text(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, EXAMPLE))
    assert load_config(write(tmp_path, config.dump())) == config


def test_a_table_can_be_added_to_what_was_written(tmp_path: Path) -> None:
    written = load_config(write(tmp_path, LEDGER)).dump()
    found = load_config(write(tmp_path, written + WORKER.replace('trust = "a.pem"', "")))
    assert [each.url for each in found.workers] == ["https://worker.example.org:9100"]


def test_a_ledger_is_found_by_id_and_by_name(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, LEDGER))
    assert config.ledger("main") == config.ledger("eip155:1")
    with pytest.raises(UnknownLedger, match="main"):
        config.ledger("other")


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    assert load_config(write(tmp_path, "")).path("store") == tmp_path.resolve() / "store"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense = 1", "nonsense"),
        ("home = '/'", "home"),
        ("state = 5", "state"),
        ("= broken", "not TOML"),
        ("state = " + "9" * 5_000, "not TOML"),
        ("state = " + "[" * 100_000, "nested"),
        ("[delivery]\nmode = 'magic'", "delivery.mode"),
        ("[delivery]\nwait_seconds = 0", "wait_seconds"),
        (LEDGER.replace("eip155:1", "nowhere"), "id"),
        (LEDGER.replace("http://", "ftp://"), "rpc"),
        (LEDGER.replace("http://", "http://user:secret@"), "rpc"),
        (LEDGER.replace("0x11", "0xzz"), "contracts"),
        (ENDPOINTS.replace("8546", "8545"), "listed twice"),
        (ENDPOINTS + "quorum = 1", "quorum"),
        (ENDPOINTS + "quorum = 3", "quorum of 3 of 2"),
        (CUSTODIAN.replace("https:", "http:"), r"custodians\.0: .*plain http"),
        (WORKER.replace("https:", "http:"), r"workers\.0: .*plain http"),
        (WORKER + WORKER.replace("9100", "9100/").replace("a.pem", "b.pem"), "more than one trust"),
        (WORKER + WORKER.replace("trust =", "# trust ="), "more than one trust"),
        (LEDGER + LEDGER, "same id"),
        (LEDGER + LEDGER.replace("eip155:1", "eip155:2"), "same name"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigInvalid, match=said):
        load_config(write(tmp_path, text))


@pytest.mark.parametrize(("earlier", "name"), [("relay", "delivery"), ("worker", "serving")])
def test_a_section_under_its_earlier_name_is_refused_naming_the_present_one(
    tmp_path: Path, earlier: str, name: str
) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        load_config(write(tmp_path, f"[{earlier}]\n"))
    assert f"[{earlier}] is called [{name}] now" in refused.value.what
    assert isinstance(load_config(write(tmp_path, f"[{name}]\n")), Config)


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="larger"):
        load_config(write(tmp_path, "#" * (MAX_CONFIG_BYTES + 1)))


def test_a_missing_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CAIMI_CONFIG", raising=False)
    with pytest.raises(ConfigMissing, match="nothing"):
        load_config(tmp_path / "nothing.toml")


def test_the_environment_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAIMI_CONFIG", str(write(tmp_path, LEDGER)))
    assert isinstance(load_config(), Config)
    assert load_config().ledgers[0].name == "main"


def test_a_worker_s_trust_is_found_by_any_form_of_its_url(tmp_path: Path) -> None:
    listed = WORKER.replace("org:9100", "org:443/w")
    config = load_config(write(tmp_path, CUSTODIAN + listed + WORKER.replace("a.pem", "b.pem")))
    for url in (
        "https://worker.example.org/w",
        "https://worker.example.org:443/w/",
        "HTTPS://Worker.Example.org./w",
    ):
        assert config.worker_trust(url) == "a.pem"
    assert config.worker_trust("https://worker.example.org:9100/") == "b.pem"
    for other in ("https://worker.example.org:9101", "https://x.org:9100", "https://[", "", "x:y"):
        assert config.worker_trust(other) is None


def test_a_worker_runs_as_its_section_says(tmp_path: Path) -> None:
    plain = load_config(write(tmp_path, "")).serving
    assert (plain.provider, plain.batch_rows, plain.arena_mib) == ("auto", 8, None)
    said = load_config(write(tmp_path, "[serving]\nprovider = 'cpu'\narena_mib = 64\n")).serving
    assert (said.provider, said.arena_mib) == ("cpu", 64)


@pytest.mark.parametrize(
    "line", ["provider = 'tpu'", "threads = 0", "batch_rows = 0", "arena_mib = 1", "more = 1"]
)
def test_a_workers_section_is_read_strictly(tmp_path: Path, line: str) -> None:
    with pytest.raises(ConfigInvalid, match=line.split(maxsplit=1)[0]):
        load_config(write(tmp_path, f"[serving]\n{line}\n"))


PLACE = '[[ledgers]]\nid = "eip155:9"\nname = "bare"\nrpc = "http://127.0.0.1:9"\n'


def test_a_ledger_that_caimi_is_not_on_yet_is_listed_apart(tmp_path):
    file = tmp_path / "caimi.toml"
    file.write_text(PLACE)
    config = load_config(file)
    assert config.ledgers == []
    (place,) = config.places
    assert (place.id, place.told) == ("eip155:9", {"rpc": "http://127.0.0.1:9"})
    with pytest.raises(UnknownLedger, match="CAIMI is not on bare yet") as refused:
        config.ledger("bare")
    assert refused.value.next_step == "Run `caimi deploy bare`."
    with pytest.raises(UnknownLedger, match=r"there are: eip155:9 \(bare\)"):
        config.ledger("other")


@pytest.mark.parametrize(
    "text",
    [
        PLACE + "deployed_at = 1\n",  # begun and not ended: no place any more
        PLACE + 'finalty = "depth:1"\n',
        PLACE + PLACE,
        PLACE.replace('rpc = "http://127.0.0.1:9"\n', ""),
        PLACE.replace("eip155:9", "local:x") + 'family = "evm"\nfurther = 1\n',
        f"places = []\n{PLACE}",
    ],
)
def test_a_place_is_read_as_strictly_as_a_ledger(tmp_path, text):
    file = tmp_path / "caimi.toml"
    file.write_text(text)
    with pytest.raises(ConfigInvalid):
        load_config(file)
