import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from caimi.cli.app import app

runner = CliRunner()


@pytest.fixture
def at(tmp_path: Path) -> list[str]:
    """A publisher with a key and no ledger yet: what is wrong with the files is told before."""
    config, passphrase = tmp_path / "caimi.toml", tmp_path / "passphrase"
    passphrase.write_text("a long passphrase\n")
    passphrase.chmod(0o600)
    config.write_text('[keys]\ndefault = "alice"\npassphrase_file = "passphrase"\n')
    at = ["--config", str(config), "--json"]
    assert runner.invoke(app, ["keys", "new", "alice", *at]).exit_code == 0
    return at


def test_a_secret_is_refused_and_the_next_step_works(tmp_path: Path, at: list[str]) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "w.bin").write_bytes(b"w")
    (model / "id_rsa").write_bytes(b"a key")
    command = ["publish", str(model), "-n", "m", "-v", "1.0.0", *at]
    error = json.loads(runner.invoke(app, command).output)["error"]
    assert error["code"] == "CAIMI-P040"
    assert "--include PATH" in error["next"]
    error = json.loads(runner.invoke(app, [*command, "--include", "id_rsa"]).output)["error"]
    assert error["code"] != "CAIMI-P040"
    assert "ledger" in error["what"]


@pytest.mark.parametrize(
    ("contributor", "said"),
    [("data", "ROLE=ACCOUNT"), ("Data=local:one:bob", "role"), ("data=bob", "bob")],
)
def test_a_contributor_out_of_form_is_refused_before_the_ledger_is_asked(
    tmp_path: Path, at: list[str], contributor: str, said: str
) -> None:
    (tmp_path / "w.bin").write_bytes(b"w")
    command = ["publish", str(tmp_path / "w.bin"), "-n", "m", "-v", "1.0.0", *at]
    answer = runner.invoke(app, [*command, "--contributor", contributor])
    error = json.loads(answer.output)["error"]
    assert said in error["what"]
