"""Whatever the machine refuses, every command says so by name: no traceback, a code, status 1."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from command_line import ALL, Ended, arguments, no_room, run, takes, without_privileges
from rich.file_proxy import FileProxy

from caimi.cli.output import err
from caimi.errors.catalogue import CODE

CONFIG = 'state = "state"\n[keys]\ndirectory = "keys"\n'


@dataclass(frozen=True)
class Surrounding:
    """What is wrong around a command, and whether every command that reads it must fail."""

    name: str
    prepare: Callable[[Path], None]
    within: Callable[[], None] = lambda: None
    bites: str = ""
    config: str = "caimi.toml"
    env: dict[str, str] = field(default_factory=dict)


def _file(name: str, content: bytes | str = b"") -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    return make


def _config_in_place(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        (folder / "caimi.toml").unlink()
        make(folder / "caimi.toml")

    return prepare


def _unreadable(folder: Path) -> None:
    (folder / "caimi.toml").chmod(0)


def _nothing(folder: Path) -> None:
    return None


def _gone() -> None:
    place = f"/tmp/caimi-gone-{os.getpid()}"
    os.mkdir(place)  # noqa: PTH102
    os.chdir(place)
    os.rmdir(place)  # noqa: PTH106


SURROUNDINGS = [
    Surrounding("configuration is a directory", _config_in_place(Path.mkdir), bites="config"),
    Surrounding("configuration is a pipe", _config_in_place(os.mkfifo), bites="config"),
    Surrounding(
        "configuration is a device",
        _config_in_place(lambda file: file.symlink_to("/dev/full")),
        bites="config",
    ),
    Surrounding(
        "configuration is a loop of links",
        _config_in_place(lambda file: file.symlink_to(file)),
        bites="config",
    ),
    Surrounding("configuration is unreadable", _unreadable, without_privileges, bites="config"),
    Surrounding("configuration is no UTF-8", _file("caimi.toml", b"\xff\xfe"), bites="config"),
    Surrounding("configuration is no TOML", _file("caimi.toml", "= 1"), bites="config"),
    Surrounding("configuration is huge", _file("caimi.toml", b"#" * (1 << 21)), bites="config"),
    Surrounding("configuration has too long a name", _nothing, bites="config", config="n" * 300),
    Surrounding("configuration has no name", _nothing, bites="config", config="in.json/caimi.toml"),
    Surrounding("nothing may grow", _nothing, no_room),
    Surrounding("nobody owns anything", _nothing, without_privileges),
    Surrounding("state is a file", _file("state")),
    Surrounding("keys is a file", _file("keys"), bites="key"),
    Surrounding(
        "keys are in an unknown home",
        _file("caimi.toml", '[keys]\ndirectory = "~nobody-of-that-name/keys"\n'),
        bites="key",
    ),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "caimi.toml").write_text(CONFIG)
    (tmp_path / "in.json").write_text("[[1.0]]")
    (tmp_path / "model.onnx").write_bytes(b"no model")
    (tmp_path / ".caimi").write_text("a file where a network's directory would be")
    tmp_path.chmod(0o755)
    return tmp_path


def environment(folder: Path) -> dict[str, str]:
    """HOME is a file: what would take long ends early, and nothing is written outside."""
    return {
        "HOME": str(folder / "in.json"),
        "CAIMI_PASSPHRASE": "correct horse",
        "CAIMI_ANVIL": "/bin/false",
    }


def is_named(done: Ended) -> bool:
    return "Traceback" not in done.text and done.status == 1 and bool(CODE.search(done.text))


@pytest.mark.parametrize("around", SURROUNDINGS, ids=lambda around: around.name)
def test_what_the_machine_refuses_is_named_by_every_command(
    around: Surrounding, folder: Path
) -> None:
    around.prepare(folder)
    wrong = {}
    place = SURROUNDINGS.index(around)
    for turn, path in enumerate(ALL):
        # One function reads the configuration: each command meets some of what is wrong there.
        if around.bites == "config" and (turn + place) % 6:
            continue
        given = {"config": str(folder / around.config)} if takes(path, "config") else {}
        if path[0] == "service" and takes(path, "key"):
            given["key"] = "nobody"  # with a key it would find all it needs, and go on for ever
        if path == ("init",):
            given = {"directory": str(folder / "in.json")}
        done = run(
            arguments(path, folder, **given),
            folder,
            env=environment(folder) | around.env,
            within=around.within,
        )
        must_fail = bool(around.bites) and takes(path, around.bites)
        went_well = "Traceback" not in done.text and done.status == 0 and not must_fail
        if not is_named(done) and not went_well:
            wrong[" ".join(path)] = (done.status, done.text[-600:])
    assert wrong == {}


@pytest.mark.parametrize("path", [p for p in ALL if takes(p, "config")][::4], ids=" ".join)
def test_a_working_directory_that_is_gone_is_named(path: tuple[str, ...], folder: Path) -> None:
    done = run(arguments(path, folder), folder, env=environment(folder), within=_gone)
    assert is_named(done), done.text


@pytest.mark.parametrize("words", [("engines",), ("engines", "--json"), ("keys", "list")])
@pytest.mark.parametrize("out", ["/dev/full", "a closed descriptor", "a broken pipe"])
def test_output_that_nobody_can_read_is_an_error(
    words: tuple[str, ...], out: str, folder: Path
) -> None:
    def within() -> None:
        if out == "a closed descriptor":
            os.close(1)
            sys.stdout = None  # as the interpreter finds it
        elif out == "a broken pipe":
            reading, writing = os.pipe()
            os.close(reading)
            os.dup2(writing, 1)

    given = ["--config", str(folder / "caimi.toml")] if words[0] == "keys" else []
    (folder / "keys").mkdir()
    done = run(
        [*words, *given], folder, within=within, out="/dev/full" if out == "/dev/full" else None
    )
    assert is_named(done), (done.status, done.text)
    assert "CAIMI-X002" in done.err


def test_a_lost_standard_error_ends_nothing(folder: Path) -> None:
    def within() -> None:
        os.dup2(os.open("/dev/full", os.O_WRONLY), 2)

    done = run(["engines", "--json"], folder, within=within)
    assert done.status == 0
    assert json.loads(done.out)["ok"] is True


def test_nobody_to_ask_and_no_input_at_all_are_named(folder: Path) -> None:
    (folder / "node.toml").write_text("")
    at = ["--config", str(folder / "caimi.toml")]
    for words in (["keys", "new", "bob", *at], ["service", "node", str(folder / "node.toml")]):
        for within in (_nothing_given, _no_input):
            done = run(words, folder, within=within)
            assert is_named(done), done.text


def test_who_is_asked_for_a_passphrase_is_asked_beside_the_document(folder: Path) -> None:
    at = ["--config", str(folder / "caimi.toml"), "--json"]
    done = run(["keys", "new", "bob", *at], folder, within=_empty_input)
    assert json.loads(done.out)["error"]["code"] == "CAIMI-C006"
    assert "New passphrase for key bob" in done.text
    assert "GetPassWarning" not in done.text


def _empty_input() -> None:
    _nothing_given()
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)


def _nothing_given() -> None:
    os.environ.pop("CAIMI_PASSPHRASE", None)


def _no_input() -> None:
    _nothing_given()
    os.setsid()  # no terminal either
    os.close(0)
    sys.stdin = None  # type: ignore[assignment] - as the interpreter does for a closed one


def test_progress_on_a_terminal_writes_through_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = io.StringIO()
    monkeypatch.setattr(sys, "stderr", FileProxy(err, real))
    err.print("on its way")
    assert "on its way" in real.getvalue()


def test_an_error_is_told_as_json_where_json_was_asked(folder: Path) -> None:
    (folder / "keys").write_text("")
    at = ["--config", str(folder / "caimi.toml"), "--json"]
    done = run(["keys", "list", *at], folder)
    assert json.loads(done.out)["error"]["code"] == "CAIMI-C056"


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff", b"{}", b"[1]", b'[{"name": "x"}]', b"[" * 5000,
     b'[{"name": "x", "pid": -1, "started": 0, "log": "", "url": null}]'],
)  # fmt: skip
@pytest.mark.parametrize("command", ["status", "down", "up"])
def test_a_damaged_list_of_processes_is_named(command: str, content: bytes, folder: Path) -> None:
    (folder / ".caimi").unlink()
    (folder / ".caimi").mkdir()
    (folder / ".caimi" / "processes.json").write_bytes(content)
    done = run(["devnet", command, "-d", str(folder)], folder, env=environment(folder))
    assert "CAIMI-N030" in done.err
    assert is_named(done)


def test_a_file_that_could_not_be_written_whole_is_not_left(folder: Path) -> None:
    target = folder / "new"
    done = run(["init", str(target)], folder, within=no_room)
    assert is_named(done)
    assert list(target.iterdir()) == []
    (folder / "keys").mkdir()
    at = ["--config", str(folder / "caimi.toml")]
    done = run(["keys", "new", "bob", *at], folder, env=environment(folder), within=no_room)
    assert is_named(done)
    assert list((folder / "keys").iterdir()) == []
