"""How services log is what the configuration says."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from caimi.cli.services import _logging
from caimi.errors.operations import ConfigInvalid
from caimi.logs import about, logger


def test_json_lines_are_written_where_the_configuration_asks_for_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])
    path = tmp_path / "caimi.toml"
    path.write_text('[logging]\nformat = "json"\n')
    level, disabled = logging.root.level, logging.root.manager.disable
    logging.disable(logging.NOTSET)
    try:
        _logging(path)
        with about(client="caimi-1-0", sequences=(7,)):
            logger("caimi.x").warning("Refused")
    finally:
        logging.disable(disabled)
        logging.root.setLevel(level)
    line = json.loads(capsys.readouterr().err)
    assert (line["message"], line["client"], line["sequences"]) == ("Refused", "caimi-1-0", [7])


def test_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "caimi.toml"
    path.write_text('[logging]\nformat = "xml"\n')
    with pytest.raises(ConfigInvalid, match="format"):
        _logging(path)
