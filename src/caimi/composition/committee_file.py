"""Writing a committee down: a file for users, and the table in one's own caimi.toml."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import tomli_w

from caimi.composition.config_file import in_table, replace_file, says
from caimi.config import CommitteeSection, CustodianSection
from caimi.errors.base import said_of
from caimi.errors.deploying import ConfigNotWritten

_COMMITTEE: Final = "committee"
_NO_KEY: Final = "0x00"


def committee_table(within: Sequence[str] = ()) -> str:
    """Name the table as its header does; `within` names the one that it is in, a profile's."""
    return ".".join((*within, _COMMITTEE))


def committee_text(section: CommitteeSection, within: Sequence[str] = ()) -> str:
    """Give the table as it stands in a caimi.toml, or in a profile's table `within` one."""
    document: dict[str, Any] = {_COMMITTEE: section.model_dump(mode="json", exclude_none=True)}
    for name in reversed(within):
        document = {name: document}
    return tomli_w.dumps(document)


def check_addable(
    file: Path, custodians: Sequence[CustodianSection], within: Sequence[str] = ()
) -> None:
    """Refuse what `add_committee` would for a committee of these, before it has a key.

    Raises:
        ConfigNotWritten: the file has another committee, or the table cannot be added to it.
    """
    try:
        text = _real(file).read_bytes().decode()
        there = in_table(tomllib.loads(text), within).get(_COMMITTEE)
        key = there.get("group_key") if isinstance(there, dict) else None
        section = CommitteeSection(group_key=key or _NO_KEY, custodians=list(custodians))
        _with_committee(text, section, within)
    except (OSError, ValueError) as error:
        raise ConfigNotWritten(
            f"{file} cannot take this committee: {said_of(error)}.",
            why="A configuration has one committee, in a table that is added at the file's end.",
            next_step=f"Take [{committee_table(within)}] out of it, or use another file or profile "
            "with --config or --profile.",
        ) from error


def add_committee(file: Path, section: CommitteeSection, within: Sequence[str] = ()) -> bool:
    """Write the table at the end of a caimi.toml that has none; False where it says so already.

    The rest of the file stays as its owner wrote it. `within` names the table that this one is
    in, a profile's.

    Raises:
        ConfigNotWritten: the file has another committee, or cannot be written; it is as it was.
    """
    place = _real(file)
    try:
        before = place.read_bytes().decode()
        after = _with_committee(before, section, within)
        if after == before:
            return False
        replace_file(place, after.encode())
    except (OSError, ValueError) as error:
        raise ConfigNotWritten(
            f"{file} could not be changed ({said_of(error)}). Write into it:\n"
            f"{committee_text(section, within)}",
            next_step="Write the lines above into it yourself, in place of another committee's.",
        ) from error
    return True


def _with_committee(text: str, section: CommitteeSection, within: Sequence[str]) -> str:
    """Give the text with the table at its end, or as it is where it says so already.

    Raises:
        ValueError: it has another committee, or says nothing whole.
    """
    said, addition = tomllib.loads(text), committee_text(section, within)
    added = in_table(tomllib.loads(addition), within)[_COMMITTEE]
    table = in_table(said, within)
    if _COMMITTEE in table:
        if table[_COMMITTEE] != added:
            raise ValueError("it has another committee")
        return text
    wanted = deepcopy(said)
    in_table(wanted, within)[_COMMITTEE] = added
    gap = "" if not text or text.endswith("\n") else "\n"
    whole = f"{text}{gap}\n{addition}"
    if not says(whole, wanted):
        raise ValueError("no table can be added at its end")
    return whole


def _real(file: Path) -> Path:
    return Path(os.path.realpath(file))
