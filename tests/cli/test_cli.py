"""Commands say what they do, fail with a code and a reason, and start fast."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from unicodedata import category as ud_category

import click
import pytest
import typer
from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text
from typer.testing import CliRunner

from caimi.cli import output
from caimi.cli.app import app
from caimi.cli.output import plain, say, shown
from caimi.cli.wording import literal
from caimi.inference.wasm.module import CompiledModule
from zoo import named

runner = CliRunner()


def commands(
    command: click.Command, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    children = getattr(command, "commands", None)
    if children is None:
        yield path, command
        return
    for name, child in children.items():
        yield from commands(child, (*path, name))


ALL = list(commands(typer.main.get_command(app)))


@pytest.mark.parametrize(("path", "command"), ALL, ids=[" ".join(path) for path, _ in ALL])
def test_every_command_has_help_with_an_example_and_all_its_words(
    path: tuple[str, ...], command: click.Command
) -> None:
    done = runner.invoke(app, [*path, "--help"], env={"COLUMNS": "1000"})
    assert done.exit_code == 0
    assert "Example: caimi" in done.output
    shown = " ".join(done.output.split())
    said = [command.callback.__doc__ or ""]
    said += [each.type_descriptor.parameter_info.help or "" for each in command.params
             if hasattr(each.type_descriptor, "parameter_info")]  # fmt: skip
    for text in said:
        for paragraph in text.replace("[bold]", "").replace("[/bold]", "").split("\n\n"):
            assert " ".join(paragraph.split()) in shown


@pytest.mark.parametrize(
    "text",
    ["see [worker]", "a [[relayer.routes]] table", "[name]@[version]", "[/]"],
)
def test_help_shows_brackets_as_they_are(text: str) -> None:
    assert Text.from_markup(literal(text)).plain == text
    bold = literal(f"{text} [bold]caimi[/bold]")
    assert Text.from_markup(bold).plain == f"{text} caimi"


SERVICES = ("node", "relayer", "watcher", "worker", "treasury", "chaincode")
GO_ON: Mapping[tuple[str, ...], str] = dict.fromkeys(
    (("service", name) for name in SERVICES),
    "it runs until it is told to stop, and logs as [logging] says, in JSON too",
)


@pytest.mark.parametrize(("path", "command"), ALL, ids=[" ".join(path) for path, _ in ALL])
def test_every_command_that_ends_can_print_json(
    path: tuple[str, ...], command: click.Command
) -> None:
    can = any("--json" in parameter.opts for parameter in command.params)
    assert can is (path not in GO_ON)


@pytest.mark.parametrize(("path", "command"), ALL, ids=[" ".join(path) for path, _ in ALL])
def test_a_narrow_terminal_cuts_no_option_in_two(
    path: tuple[str, ...], command: click.Command
) -> None:
    told = runner.invoke(app, [*path, "--help"], env={"COLUMNS": "40"}).output
    for line in told.splitlines():  # what is said of an option has ten columns at least
        assert len(line.rstrip()) <= 42 or line.startswith("Usage: ")
    for parameter in command.params:
        assert all(name in told for name in parameter.opts)


@pytest.mark.parametrize("columns", [40, 80, 200])
@pytest.mark.parametrize("words", [[], ["run"], ["keys", "show"], ["service", "worker"]], ids=str)
def test_a_flag_is_told_without_a_value_and_others_in_words(words: list[str], columns: int) -> None:
    done = runner.invoke(app, [*words, "--help"], env={"COLUMNS": str(columns)})
    assert "--help" in done.output
    for kind in ("<bool>", "<str>", "<int", "<float", "<list"):
        assert kind not in done.output
    assert max(map(len, done.output.splitlines())) <= columns


@given(st.text(max_size=40))
@example("[bold]x[/bold]")
@example("a\x1b[2Jb")
@example("\\[x]\\")
@example("\\[")
def test_what_others_wrote_is_shown_and_not_obeyed(text: str) -> None:
    told = shown(text).plain
    assert Text.from_markup(f"[bold]{plain(text)}[/bold]").plain == told
    assert len(told) == len(text)
    for was, now in zip(text, told, strict=True):
        assert now == (was if was in "\t\n" or ud_category(was) != "Cc" else "\ufffd")


def test_a_path_in_brackets_is_told_whole(capfd: pytest.CaptureFixture[str]) -> None:
    say("Wrote {}.", "[red]{}.npz")
    assert capfd.readouterr().out == "Wrote [red]{}.npz.\n"


def test_init_writes_a_file_once(tmp_path: Path) -> None:
    first = runner.invoke(app, ["init", str(tmp_path), "--json"])
    assert first.exit_code == 0
    assert (tmp_path / "caimi.toml").exists()
    again = runner.invoke(app, ["init", str(tmp_path), "--json"])
    assert again.exit_code == 1
    assert json.loads(again.output)["error"]["code"] == "CAIMI-C021"


def test_keys_are_made_listed_and_never_plain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAIMI_PASSPHRASE", "correct horse")
    (tmp_path / "caimi.toml").write_text("")
    at = ["--config", str(tmp_path / "caimi.toml"), "--json"]
    made = runner.invoke(app, ["keys", "new", "alice", *at])
    account = json.loads(made.output)["account"]
    listed = json.loads(runner.invoke(app, ["keys", "list", *at]).output)
    assert listed["keys"] == [{"name": "alice", "account": account}]
    assert runner.invoke(app, ["keys", "new", "alice", *at]).exit_code == 1
    keystore = json.loads((tmp_path / "keys" / "alice.json").read_text())
    assert keystore["version"] == 3
    assert b"ENCRYPTED" in (tmp_path / "keys" / "alice.signing.pem").read_bytes()
    for file in (tmp_path / "keys").iterdir():
        assert file.stat().st_mode & 0o077 == 0


def test_a_passphrase_file_that_others_can_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CAIMI_PASSPHRASE", raising=False)
    (tmp_path / "secret").write_text("correct horse")
    (tmp_path / "secret").chmod(0o644)
    (tmp_path / "caimi.toml").write_text('[keys]\npassphrase_file = "secret"\n')
    at = ["--config", str(tmp_path / "caimi.toml"), "--json"]
    done = runner.invoke(app, ["keys", "new", "alice", *at])
    assert json.loads(done.output)["error"]["code"] == "CAIMI-C006"
    assert "chmod 600" in json.loads(done.output)["error"]["next"]


def test_an_error_says_what_why_and_what_next(tmp_path: Path) -> None:
    done = runner.invoke(app, ["search", "--config", str(tmp_path / "none.toml"), "--json"])
    assert done.exit_code == 1
    error = json.loads(done.output)["error"]
    assert error["code"] == "CAIMI-C001"
    assert all(error[key] for key in ("what", "why", "next"))


def test_status_without_a_network_says_how_to_start_one(tmp_path: Path) -> None:
    done = runner.invoke(app, ["devnet", "status", "-d", str(tmp_path), "--json"])
    assert done.exit_code == 1
    assert "devnet up" in json.loads(done.output)["error"]["next"]


def test_a_model_is_compiled_beside_its_onnx_file(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(named("logistic_regression").build(0))
    done = runner.invoke(app, ["compile", str(model), "--json"])
    assert done.exit_code == 0
    said = json.loads(done.output)
    module = CompiledModule.parse((tmp_path / "model.wasm").read_bytes())
    assert said["sha256"] == f"0x{module.sha256.hex()}"
    assert said["engine"] == "caimi-wasm/2/simd"
    elsewhere = runner.invoke(app, ["compile", str(model), "-o", str(tmp_path.parent / "m.wasm")])
    assert elsewhere.exit_code == 2


def test_a_model_that_cannot_be_compiled_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no model")
    done = runner.invoke(app, ["compile", str(tmp_path / "model.onnx"), "--json"])
    assert done.exit_code == 1
    assert json.loads(done.output)["error"]["code"] == "CAIMI-R003"


def test_the_engines_are_listed_with_their_ids() -> None:
    found = json.loads(runner.invoke(app, ["engines", "--json"]).output)["engines"]
    assert [engine["name"] for engine in found] == [
        "onnx", "wasm", "wasm-mvp", "wasm-f64", "wasm-int8", "remote"
    ]  # fmt: skip
    assert [engine["answer"] for engine in found] == [
        *("", "caimi/2/f32", "caimi/2/f32", "caimi/2/f64", "caimi/2/int8", ""),
    ]


@pytest.mark.parametrize(
    "options",
    [
        ("--engine", "remote"),
        ("--server", "http://127.0.0.1:1"),
        ("--engine", "onnx", "--server", "http://127.0.0.1:1"),
        ("--engine", "remote", "--server", "http://127.0.0.1:1", "--worker", "any"),
        ("--engine", "tensorflow"),
    ],
)
def test_a_server_is_for_the_remote_engine_and_needed_by_it(options: tuple[str, ...]) -> None:
    done = runner.invoke(app, ["run", "caimi:eip155:1:0x00", "-i", "rows.npy", *options])
    assert done.exit_code == 2


ID = "caimi:eip155:31337:0x" + "ab" * 32
WORDS = "words that can be broken where there is little room for them"
ROWS = [("a model", ID, WORDS), ("b", ID, "")]


def printed(columns: int | None, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give a table as a terminal of so many columns shows it, or else as a pipe gets it."""
    console = Console(file=io.StringIO(), force_terminal=columns is not None, width=columns)
    monkeypatch.setattr(output, "out", console)
    output.table("Things", ("name", "id", "about"), ROWS)
    written = console.file
    assert isinstance(written, io.StringIO)
    return Text.from_ansi(written.getvalue()).plain


@pytest.mark.parametrize("columns", [40, 80, 110, 200, None])
def test_an_id_is_whole_in_a_table_however_narrow_the_terminal(
    columns: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = printed(columns, monkeypatch)
    assert told.count(ID) == 2
    assert told.count("Things") == 1
    for word in ["words", "that", "can", "be", "broken"]:
        assert word in told


def test_a_pipe_gets_a_line_a_row_and_no_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    title, head, first, second = printed(None, monkeypatch).splitlines()
    assert (title, head.split()) == ("Things", ["name", "id", "about"])
    assert first.split("  ")[1:] == [ID, WORDS]
    assert second.split() == ["b", ID]


def test_where_there_is_room_a_frame_keeps_within_it(monkeypatch: pytest.MonkeyPatch) -> None:
    told = printed(130, monkeypatch)
    assert "┃" in told
    assert max(map(len, told.splitlines())) <= 130
