"""Writing a committee down: a file for users, and the table in one's own caimi.toml."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import tomli_w

from caimi.composition.config_file import replace_file
from caimi.config import CommitteeSection
from caimi.errors.deploying import ConfigNotWritten


def committee_text(section: CommitteeSection) -> str:
    """Give the table as it stands in a caimi.toml."""
    document = section.model_dump(mode="json", exclude_none=True)
    return tomli_w.dumps({"committee": document})


def add_committee(file: Path, section: CommitteeSection) -> bool:
    """Write the table at the end of a caimi.toml that has none; False where it says so already.

    The rest of the file stays as its owner wrote it.

    Raises:
        ConfigNotWritten: the file has another committee, or cannot be written; it is as it was.
    """
    place, text = Path(os.path.realpath(file)), committee_text(section)
    added = tomllib.loads(text)
    try:
        before = place.read_bytes().decode()
        said = tomllib.loads(before)
        if said.get("committee") == added["committee"]:
            return False
        if "committee" in said:
            raise ValueError("it has another committee")
        gap = "" if not before or before.endswith("\n") else "\n"
        whole = f"{before}{gap}\n{text}"
        if tomllib.loads(whole) != said | added:
            raise ValueError("it does not end with a whole table")
        replace_file(place, whole.encode())
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise ConfigNotWritten(
            f"{file} could not be changed ({why}). Write into it:\n{text}"
        ) from error
    return True
