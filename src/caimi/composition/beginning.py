"""A first caimi.toml for chosen ledgers: what is known is taken from where it is, nothing is asked.

A ledger is chosen by a node's URL, which is asked for its id, or must be of the id before it
(``eip155:1@https://…``); or by a file that tells of it: another caimi.toml, with its committee,
tokens, workers and store, or what ``caimi deploy --json`` printed. A name may stand before each,
as in ``mainnet=…``.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import tomli_w
from pydantic import ValidationError

from caimi.chains import LEDGER
from caimi.config import (
    CONFIG_NAME,
    AssetSection,
    CommitteeSection,
    Config,
    DeliverySection,
    LedgerSection,
    PlaceSection,
    WorkerSection,
    load_config,
)
from caimi.errors.base import CaimiError
from caimi.errors.operations import LedgerNotFound, UsageError
from caimi.families import family_names, find_family, sandbox_names
from caimi.json_text import read_json
from caimi.ledgers.port import LedgerPlace, Locating
from caimi.names import is_name

_AT: Final = re.compile(rf"({LEDGER})@(https?://.*)")
_MAX_BYTES: Final = 1 << 20
_HEAD: Final = """\
# CAIMI configuration, by `caimi init`. Paths are relative to this file; `caimi init --help` and a
# plain `caimi init` in another directory show everything that can be said here.

state = "state"                 # journal of your own operations

[keys]
directory = "keys"              # V3 keystores; make one with `caimi keys new alice`

[store]                         # sealed chunks and manifests, by content
kind = "local"
{store}
[delivery]
mode = "{mode}"{space}# "service" where a relayer process runs, or else "self"
wait_seconds = {wait_seconds}

"""


@dataclass(slots=True)
class Beginning:
    """What a configuration begins with."""

    ledgers: list[LedgerSection | PlaceSection] = field(default_factory=list)
    committee: CommitteeSection | None = None
    assets: list[AssetSection] = field(default_factory=list)
    workers: list[WorkerSection] = field(default_factory=list)
    delivery: DeliverySection = field(default_factory=DeliverySection)
    stores: set[str] = field(default_factory=set)

    @property
    def places(self) -> list[str]:
        """The names of the ledgers that CAIMI is not on yet."""
        return [each.name for each in self.ledgers if isinstance(each, PlaceSection)]

    def text(self) -> str:
        """Give the TOML text, with a line of comment where a person has something to do."""
        todo = "".join(f"# `caimi deploy {name}` adds where CAIMI is.\n" for name in self.places)
        # Stores that differ cannot be one: then this configuration begins with one of its own.
        (store,) = self.stores if len(self.stores) == 1 else {"store"}
        said = self.delivery
        head = _HEAD.format(
            store=tomli_w.dumps({"path": store}),
            mode=said.mode,
            space=" " * (23 - len(said.mode)),
            wait_seconds=said.wait_seconds,
        )
        parts = [head + todo]
        for path, sections in (
            ("ledgers", self.ledgers),
            ("assets", self.assets),
            ("workers", self.workers),
        ):
            parts += [_table(path, _said(each), listed=True) for each in sections]
        if self.committee is not None:
            parts.append(_table("committee", _said(self.committee)))
        return "\n".join(parts)


async def begin(chosen: str) -> Beginning:
    """Find out what there is to know of the ledgers that a user chose, joined by commas.

    Raises:
        UsageError: one is chosen by nothing of this, two have one id or name, or two files tell
            of different committees.
        LedgerNotFound: nobody answers at a URL, or not as a ledger that is known here.
        ConfigMissing, ConfigInvalid…: as reading another caimi.toml says.
    """
    beginning = Beginning()
    for entry in (each.strip() for each in chosen.split(",")):
        name, equals, rest = entry.partition("=")
        if not (equals and is_name(name)):
            name, rest = "", entry
        await _take(beginning, name, rest)
    _check_apart(beginning)
    return beginning


async def _take(beginning: Beginning, name: str, chosen: str) -> None:
    by_id = _AT.fullmatch(chosen)
    if by_id is not None or chosen.startswith(("http://", "https://")):
        ledger, url = (by_id[1], by_id[2]) if by_id else (None, chosen)
        found = await _locate(url, ledger)
        taken = {each.name for each in beginning.ledgers}
        said = {"id": found.id, "name": name or _free(taken), **found.told}
        beginning.ledgers.append(_valid(said, "The node"))
    elif _is_there(chosen):
        await asyncio.to_thread(_take_file, beginning, name, Path(chosen))
    elif chosen in sandbox_names():
        raise UsageError(
            f"{chosen!r} is a kind of ledger for trying things out: none runs yet.",
            next_step=f"Run `caimi devnet up --ledgers {chosen}`, which writes a caimi.toml, or "
            f"`caimi demo --ledgers {chosen}`, which needs none.",
        )
    else:
        raise UsageError(
            f"{chosen!r:.80} is neither a URL, nor ID@URL, nor a file.",
            next_step="Such as `caimi init --ledgers https://rpc.example.org`, or "
            "`caimi init --ledgers mainnet=eip155:1@https://rpc.example.org,../caimi.toml`.",
        )


async def _locate(url: str, ledger: str | None) -> LedgerPlace:
    """Ask at a URL which ledger answers; with an id, what is there instead is an error."""
    said = []
    for name in family_names():
        family = find_family(ledger or "", name)
        if not isinstance(family, Locating):
            continue
        try:
            found = await family.locate(url)
        except CaimiError as error:
            said.append(error.what)
            continue
        if ledger not in (None, found.id):
            raise LedgerNotFound(f"{found.id} answers at the URL of {ledger}.")
        return found
    raise LedgerNotFound(
        "No ledger was found there: "
        + ("; ".join(said) or "no installed family finds ledgers by URLs")
    )


def _is_there(chosen: str) -> bool:
    try:
        return bool(chosen) and Path(chosen).exists()
    except (OSError, ValueError):  # too long a name, or a NUL in it
        return False


def _take_file(beginning: Beginning, name: str, file: Path) -> None:
    if file.is_dir() or file.suffix == ".toml":
        _take_config(beginning, name, file / CONFIG_NAME if file.is_dir() else file)
        return
    with file.open("rb") as handle:
        data = handle.read(_MAX_BYTES + 1)
    beginning.ledgers.append(read_deployed(data, name))


def read_deployed(data: bytes, name: str = "") -> LedgerSection | PlaceSection:
    """Read the ledger of what `caimi deploy --json` printed; called `name` where one is given.

    Raises:
        UsageError: it is something else, or larger than 1 MiB.
    """
    try:
        if len(data) > _MAX_BYTES:
            raise ValueError(f"it is larger than {_MAX_BYTES} bytes")
        said = read_json(data)["ledger"]
        if not isinstance(said, dict):
            raise TypeError("its ledger is no table")
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise UsageError(
            f"What was named is not what `caimi deploy --json` prints: {error!s:.200}.",
            next_step="Name another caimi.toml, or a file of what that command printed.",
        ) from error
    return _valid({**said, "name": name} if name else said, "The file")


def _take_config(beginning: Beginning, name: str, file: Path) -> None:
    other = load_config(file)
    listed: list[LedgerSection | PlaceSection] = [*other.ledgers, *other.places]
    if name:
        if len(listed) != 1:
            raise UsageError(f"{file} has {len(listed)} ledgers, and not one to be called {name}.")
        listed = [each.model_copy(update={"name": name}) for each in listed]
    beginning.ledgers += listed
    beginning.stores.add(str(other.path(other.store.path)))
    beginning.assets += [
        each.model_copy(update={"ledger": other.ledger(each.ledger).id}) for each in other.assets
    ]
    beginning.workers += [
        each.model_copy(update={"trust": _whole(other, each.trust)}) for each in other.workers
    ]
    committee = other.committee
    if committee is None:
        return
    custodians = [
        each.model_copy(update={"trust": _whole(other, each.trust)})
        for each in committee.custodians
    ]
    committee = committee.model_copy(update={"custodians": custodians})
    if beginning.committee not in (None, committee):
        raise UsageError(
            f"{file} has another committee than a file before it.",
            next_step="A network has one committee: keep two networks apart as two profiles.",
        )
    beginning.committee, beginning.delivery = committee, other.delivery


def _whole(config: Config, path: str | None) -> str | None:
    return None if path is None else str(config.path(path))


def _valid(said: Mapping[str, Any], what: str) -> LedgerSection | PlaceSection:
    try:
        document = Config.model_validate({"ledgers": [dict(said)]})
    except ValidationError as error:
        raise UsageError(f"{what} tells of no ledger: {error.errors()[0]['msg']}.") from error
    found: list[LedgerSection | PlaceSection] = [*document.ledgers, *document.places]
    return found[0]


def _check_apart(beginning: Beginning) -> None:
    for what in ("id", "name"):
        known: list[str] = [getattr(each, what) for each in beginning.ledgers]
        for each in known:
            if known.count(each) > 1:
                raise UsageError(
                    f"Two of the ledgers have the {what} {each}.",
                    next_step="Name each ledger once; what to call it comes before: mainnet=URL.",
                )


def _free(taken: Iterable[str]) -> str:
    """Give the first of a, b, c… that is not taken."""
    known = set(taken)
    names: list[str] = [
        *"abcdefghijklmnopqrstuvwxyz",
        *(f"ledger-{number}" for number in range(27, 1000)),
    ]
    return next(name for name in names if name not in known)


def _said(section: Any) -> dict[str, object]:  # noqa: ANN401 - any section
    found: dict[str, object] = section.model_dump(mode="json", exclude_none=True)
    return found


def _table(path: str, said: Mapping[str, object], *, listed: bool = False) -> str:
    """Write a table under a header of its own, and tables in it under theirs."""
    plain, inner = dict[str, object](), []
    for name, value in said.items():
        if isinstance(value, Mapping):
            inner.append(_table(f"{path}.{name}", value))
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            inner += [_table(f"{path}.{name}", each, listed=True) for each in value]
        else:
            plain[name] = value
    header = f"[[{path}]]" if listed else f"[{path}]"
    return "\n".join([f"{header}\n{tomli_w.dumps(plain)}", *inner])
