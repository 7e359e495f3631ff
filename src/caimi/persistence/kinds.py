"""The kinds of stores: each is a line of revisions of its own."""

from __future__ import annotations

from dataclasses import dataclass

from caimi.persistence.troubles import Refusal


@dataclass(frozen=True, slots=True)
class StoreKind:
    """What is to be known of a store before it is opened.

    `name` is the label of its revisions in the migrations, `revision` the newest of them, `tables`
    what it had at its first. `file_versions` are the user_versions of SQLite files that this
    program reads, those included that were written before there were revisions.
    """

    name: str
    revision: str
    tables: frozenset[str]
    file_versions: frozenset[int]
    refuse: Refusal
    private: bool = False
