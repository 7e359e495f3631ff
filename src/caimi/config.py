"""The configuration: one `caimi.toml` for every command, read strictly.

Relative paths are relative to the file. No secret is ever in it: keys are V3 keystores in a
directory, and the passphrase comes from the environment, a file of mode 0600, or a prompt.
"""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, Self, TypeVar
from urllib.parse import urlsplit

import tomli_w
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from caimi.chains import EIP155_REFERENCE, EVM_ADDRESS, LEDGER
from caimi.errors.base import CaimiError
from caimi.errors.operations import ConfigInvalid, ConfigMissing, ConfigUnreadable, UnknownLedger
from caimi.families import find_family
from caimi.json_text import check_depth
from caimi.logs import LogFormat, LogLevel
from caimi.names import NAME
from caimi.profiles import (
    chosen_profile,
    profile_file,
    profile_files,
    unknown_profile,
    with_own_state,
)

CONFIG_NAME = "caimi.toml"
MAX_CONFIG_BYTES = 1 << 20
COIN: Final = "coin"
"""What a ledger's own coin is called among assets, whatever its people call it."""

LedgerText = Annotated[str, StringConstraints(pattern=f"^{LEDGER}$")]
HexAddress = Annotated[str, StringConstraints(pattern=f"^{EVM_ADDRESS}$")]
AccountText = Annotated[str, StringConstraints(pattern=r"^[-.%a-zA-Z0-9]{1,128}$")]
ListedAccount = Annotated[
    str, StringConstraints(pattern=rf"^({LEDGER}:[-.%a-zA-Z0-9]{{1,128}}|{EVM_ADDRESS})$")
]
ContractAccount = Annotated[
    str, StringConstraints(pattern=f"^eip155:{EIP155_REFERENCE}:{EVM_ADDRESS}$")
]
HexBytes = Annotated[str, StringConstraints(pattern=r"^0x([0-9a-f]{2})+$", max_length=65536)]
HttpUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^\s@]{1,500}$")]
DatabaseUrl = Annotated[str, StringConstraints(pattern=r"^postgresql(\+psycopg)?://[^\s]{1,2000}$")]
PathText = Annotated[str, StringConstraints(pattern=r"^[^\x00]+$", max_length=4096)]
Name = Annotated[str, StringConstraints(pattern=f"^{NAME}$")]
Profiles = Annotated[dict[Name, dict[str, object]], Field(max_length=100)]
Symbol = Annotated[
    str, StringConstraints(pattern=r"^[0-9]{0,4}[A-Za-z][-+._A-Za-z0-9]{0,31}$", max_length=32)
]


class Section(BaseModel):
    """One table of a TOML file: unknown fields and wrong types are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class LedgerSection(Section):
    """One ledger: what it is called, its family, and what that family is told of it.

    `family` is needed where the namespace of the id has another, or none. Everything beside these
    three is the family's, which checks it: see `settings`.
    """

    model_config = ConfigDict(extra="allow")

    id: LedgerText
    name: Name
    family: Name | None = None
    _settings: BaseModel = PrivateAttr()

    @model_validator(mode="after")
    def _the_family_takes_the_rest(self) -> Self:
        family = find_family(self.id, self.family)
        try:
            self._settings = family.settings.model_validate(self.model_extra or {})
        except ValidationError as error:
            raise PydanticCustomError("of_the_family", "{said}", {"said": _said(error)}) from error
        return self

    @property
    def settings(self) -> BaseModel:
        """What the family is told, as its own type."""
        return self._settings


class PlaceSection(Section):
    """One ledger before CAIMI is on it: what its section will say but for where CAIMI is.

    `caimi deploy` adds the rest.
    """

    model_config = ConfigDict(extra="allow")

    id: LedgerText
    name: Name
    family: Name | None = None

    @model_validator(mode="after")
    def _the_family_takes_the_rest(self) -> Self:
        places = find_family(self.id, self.family).places
        if places is None:
            raise PydanticCustomError("of_the_family", "nothing is deployed there from here")
        try:
            places.model_validate(self.told)
        except ValidationError as error:
            raise PydanticCustomError("of_the_family", "{said}", {"said": _said(error)}) from error
        return self

    @property
    def told(self) -> dict[str, object]:
        """What the family is told."""
        return dict(self.model_extra or {})


def _is_place(section: object) -> bool:
    """Tell whether a ledger's table says nothing yet of where CAIMI is."""
    if not isinstance(section, dict) or not isinstance(section.get("id"), str):
        return False
    named = section.get("family")
    try:
        family = find_family(section["id"], named if isinstance(named, str) else None)
    except CaimiError:
        return False  # which is said where the section is read
    places = getattr(family, "places", None)
    if places is None:
        return False
    added = family.settings.model_fields.keys() - places.model_fields.keys()
    return bool(added) and not added & section.keys()


class AssetSection(Section):
    """A token that is paid in: its symbol, its ledger by id or name, and its contract there.

    An amount of 1 is 10 to the power of `decimals` of its smallest units. Symbol and decimals are
    compared with what the contract says, when the token is first used.
    """

    symbol: Symbol
    ledger: Annotated[str, StringConstraints(min_length=1, max_length=41)]
    address: AccountText
    decimals: Annotated[int, Field(ge=0, le=77)]


def _check_trust(url: str, trust: str | None) -> None:
    if trust is not None and not url.startswith("https:"):
        raise ValueError(
            "trust says whom alone an https URL may be, and this url is plain http: "
            "write https:// there, or leave trust out"
        )


class CustodianSection(Section):
    """One member of the committee; `trust` is a PEM file of whom alone its https URL may be."""

    index: Annotated[int, Field(ge=1, le=256)]
    url: HttpUrl
    account: HexAddress
    trust: PathText | None = None

    @model_validator(mode="after")
    def _trust_of_https_alone(self) -> Self:
        _check_trust(self.url, self.trust)
        return self


class CommitteeSection(Section):
    """The custodians' common key, and who they are."""

    group_key: HexBytes
    custodians: Annotated[list[CustodianSection], Field(min_length=1, max_length=256, strict=False)]


class KeysSection(Section):
    """Where keystores are, and which key signs when none is named.

    `contract` is a contract account (CAIP-10) that holds licences and takes the keys' signatures.
    """

    directory: PathText = "keys"
    default: Name | None = None
    passphrase_file: PathText | None = None
    contract: ContractAccount | None = None


TrustedFiles = Annotated[list[PathText], Field(max_length=100, strict=False)]
"""PEM files of authorities, or of single certificates, that are believed."""


class TlsSection(Section):
    """Whom this program believes behind https URLs, and what it shows to who asks.

    Without `trust` the public authorities are believed. A worker serves TLS with its certificate.
    """

    certificate: PathText | None = None
    key: PathText | None = None
    trust: TrustedFiles = []

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together")
        return self


class StoreSection(Section):
    """Where sealed bytes live."""

    kind: Literal["local"] = "local"
    path: PathText = "store"


class DatabaseSection(Section):
    """A PostgreSQL server for what is otherwise in SQLite files.

    Each store has a schema of its own there, whose name begins with `prefix`. The URL may hold a
    password, and is never shown.
    """

    url: Annotated[DatabaseUrl, Field(repr=False)]
    prefix: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")] = "caimi"


class LoggingSection(Section):
    """How services log: lines for people, or JSON lines; and from which level on."""

    format: LogFormat = "text"
    level: LogLevel = "info"


class DeliverySection(Section):
    """Who carries this user's packets: a relayer service, or each command itself while it waits."""

    mode: Literal["service", "self"] = "self"
    wait_seconds: Annotated[int, Field(ge=1, le=86_400)] = 120


class RelayerRouteSection(Section):
    """How a relayer carries some routes: the first section that fits a route counts.

    `source` and `destination` are ledgers by id or name, `client` the source's client id; what is
    left out fits all. Fees and `minimum_fee` are in the source's smallest coin; `price_ratio` is
    how many of it one of the destination's is worth. With `propose` the relayer makes claims at
    optimistic clients, with bonds of its own.
    """

    source: str | None = None
    destination: str | None = None
    client: str | None = None
    carry: bool = True
    minimum_fee: Annotated[int, Field(ge=0)] = 0
    price_ratio: Annotated[float, Field(gt=0, allow_inf_nan=False, strict=False)] = 1.0
    margin_percent: Annotated[int, Field(ge=0, le=1000)] = 20
    packets: Annotated[int, Field(ge=1, le=1000)] | None = None
    work: Annotated[int, Field(ge=1)] | None = None
    wait_seconds: Annotated[float, Field(ge=0, le=300, strict=False)] = 0.0
    propose: bool = False


class TurnsSection(Section):
    """Relayers that take turns: the same list, slot and guard at each of them.

    `accounts` are CAIP-10 ids, for each ledger those of all who share what it sends. An address
    alone is of every ledger that writes accounts so.
    """

    accounts: Annotated[list[ListedAccount], Field(min_length=1, max_length=4096, strict=False)]
    slot_seconds: Annotated[float, Field(ge=1, le=3600, strict=False)] = 60.0
    guard_seconds: Annotated[float, Field(ge=0, le=3600, strict=False)] = 20.0


class RelayerSection(Section):
    """What a relayer service carries; `price_caps` are wei a gas, by the ledger's id or name."""

    routes: Annotated[list[RelayerRouteSection], Field(max_length=1000, strict=False)] = []
    price_caps: dict[str, Annotated[int, Field(ge=1)]] = {}
    turns: TurnsSection | None = None


class WorkerSection(Section):
    """A worker that answers inference requests, and its account, as the ledger writes it.

    `trust` is a PEM file of whom alone its https URL may be.
    """

    url: HttpUrl
    account: AccountText
    ledger: LedgerText
    trust: PathText | None = None

    @model_validator(mode="after")
    def _trust_of_https_alone(self) -> Self:
        _check_trust(self.url, self.trust)
        return self


class ServingSection(Section):
    """How a worker runs models: what on, how many at a time, and within which memory.

    `ledger`, by id or name, is where its account signs and anchors receipts.
    """

    ledger: Annotated[str, StringConstraints(min_length=1, max_length=41)] | None = None
    provider: Literal["auto", "cpu", "cuda"] = "auto"
    threads: Annotated[int, Field(ge=1, le=1024)] = 1
    at_once: Annotated[int, Field(ge=1, le=4096)] = 64
    batch_rows: Annotated[int, Field(ge=1, le=65_536)] = 8
    batch_kib: Annotated[int, Field(ge=1, le=1 << 22)] = 1024
    batch_wait_ms: Annotated[float, Field(ge=0, le=10_000, strict=False)] = 0.0
    models_mib: Annotated[int, Field(ge=1, le=1 << 24)] = 8192
    models_open: Annotated[int, Field(ge=1, le=4096)] = 64
    models: Annotated[list[str], Field(max_length=10_000, strict=False)] | None = None
    run_seconds: Annotated[float, Field(gt=0, le=86_400, strict=False)] = 60.0
    memory_mib: Annotated[int, Field(ge=256, le=1 << 24)] | None = None
    arena_mib: Annotated[int, Field(ge=16, le=1 << 24)] | None = None
    prices: dict[str, int | str] = {}


class TopSection(Section):
    """A whole `file`; `home` is the directory it lies in."""

    home: Path = Field(default=Path(), exclude=True)
    file: Path = Field(default=Path(CONFIG_NAME), exclude=True)

    def path(self, text: str) -> Path:
        """Resolve a path of the file against the file's directory.

        Raises:
            ConfigInvalid: it begins with a home directory that nobody knows.
        """
        try:
            return self.home / Path(text).expanduser()
        except RuntimeError as error:
            raise ConfigInvalid(
                f"{text!r:.80} names a home directory, and none is known.",
                why="HOME is not set, or there is no such user.",
                next_step="Write the whole path in caimi.toml, or set HOME.",
            ) from error

    def dump(self) -> str:
        """Give the TOML text; what is empty unless given is left out, so that it can be added."""
        said = self.model_dump(mode="json", exclude_none=True)
        fields = type(self).model_fields
        return tomli_w.dumps(
            {name: each for name, each in said.items() if each != [] or fields[name].is_required()}
        )


_PORTS: Final = {"http": 80, "https": 443}


def normalised_url(url: str) -> tuple[object, ...]:
    """Give what is the same of two URLs exactly where both lead to one place."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:  # no URL at all: nobody is asked there
        return (url,)
    host = (parts.hostname or "").rstrip(".")
    return parts.scheme, host, port, parts.path.rstrip("/"), parts.query


SectionT = TypeVar("SectionT", bound=TopSection)
_RENAMED: Final = {"relay": "delivery", "worker": "serving"}


class Config(TopSection):
    """Everything a command needs to know."""

    ledgers: Annotated[list[LedgerSection], Field(max_length=1000, strict=False)] = []
    places: list[PlaceSection] = Field(default=[], max_length=1000, strict=False, exclude=True)
    """Those of the file's ledgers that CAIMI is not on yet."""
    assets: Annotated[list[AssetSection], Field(max_length=1000, strict=False)] = []
    committee: CommitteeSection | None = None
    keys: KeysSection = KeysSection()
    store: StoreSection = StoreSection()
    database: DatabaseSection | None = None
    delivery: DeliverySection = DeliverySection()
    relayer: RelayerSection = RelayerSection()
    workers: Annotated[list[WorkerSection], Field(max_length=1000, strict=False)] = []
    serving: ServingSection = ServingSection()
    logging: LoggingSection = LoggingSection()
    tls: TlsSection = TlsSection()
    state: PathText = "state"
    profiles: Profiles = Field(default={}, exclude=True)

    @model_validator(mode="before")
    @classmethod
    def _no_earlier_name(cls, document: object) -> object:
        for earlier, name in _RENAMED.items():
            if isinstance(document, dict) and earlier in document:
                raise PydanticCustomError(
                    "renamed",
                    "[{earlier}] is called [{name}] now",
                    {"earlier": earlier, "name": name},
                )
        return document

    @model_validator(mode="before")
    @classmethod
    def _ledgers_without_caimi_apart(cls, document: object) -> object:
        listed = document.get("ledgers") if isinstance(document, dict) else None
        if not isinstance(document, dict) or not isinstance(listed, list):
            return document
        places = [each for each in listed if _is_place(each)]
        if not places:
            return document
        ledgers = [each for each in listed if not _is_place(each)]
        return {**document, "ledgers": ledgers, "places": places}

    @model_validator(mode="after")
    def _one_trust_of_a_worker(self) -> Self:
        found: dict[tuple[object, ...], str | None] = {}
        for entry in self.workers:
            if found.setdefault(normalised_url(entry.url), entry.trust) != entry.trust:
                raise ValueError(f"workers: {entry.url} is listed with more than one trust")
        return self

    def worker_trust(self, url: str) -> str | None:
        """Give the `trust` of the worker that is listed at a URL, however that is written."""
        wanted = normalised_url(url)
        return next(
            (each.trust for each in self.workers if normalised_url(each.url) == wanted), None
        )

    @property
    def journal_path(self) -> Path:
        """The journal of this user's operations."""
        return self.path(self.state) / "journal.sqlite"

    def ledger(self, name: str) -> LedgerSection:
        """Find a ledger by CAIP-2 id or by its short name.

        Raises:
            UnknownLedger: it is not listed.
        """
        for section in self.ledgers:
            if name in (section.id, section.name):
                return section
        if any(name in (place.id, place.name) for place in self.places):
            raise UnknownLedger(
                f"CAIMI is not on {name} yet.",
                why="Its section in caimi.toml does not say where the contracts are.",
                next_step=f"Run `caimi deploy {name}`.",
            )
        listed: list[LedgerSection | PlaceSection] = [*self.ledgers, *self.places]
        known = ", ".join(f"{each.id} ({each.name})" for each in listed)
        raise UnknownLedger(
            f"No ledger {name!r} in the configuration; there are: {known or 'none'}."
        )


def find_config(path: str | Path | None = None) -> Path:
    """Find the configuration file: the argument, ``$CAIMI_CONFIG``, or `caimi.toml` here or above.

    Raises:
        ConfigMissing: there is none.
    """
    named = path or os.environ.get("CAIMI_CONFIG")
    if named:
        file = Path(named)
        if _kind(file) == stat.S_IFDIR:
            file /= CONFIG_NAME
        if not _kind(file):
            raise ConfigMissing(f"There is no configuration file {file}.")
        return file
    try:
        here = Path.cwd()
    except OSError as error:
        raise ConfigMissing(
            "The working directory is gone.",
            why=f"It was removed or cannot be reached ({error.strerror}), so nothing is in it.",
            next_step="Change to a directory that exists, or name a file with --config.",
        ) from error
    for folder in (here, *here.parents):
        if _kind(folder / CONFIG_NAME) not in (0, stat.S_IFDIR):
            return folder / CONFIG_NAME
    raise ConfigMissing(f"There is no {CONFIG_NAME} in {here} or above.")


def _kind(file: Path) -> int:
    """Give a file's type as `stat` tells it, 0 where there is nothing.

    Raises:
        ConfigUnreadable: nobody can tell.
    """
    try:
        return stat.S_IFMT(file.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        said = getattr(error, "strerror", None) or error
        raise ConfigUnreadable(f"{str(file)[:200]} cannot be read: {said}.") from error


def read_toml(file: Path, kind: type[SectionT]) -> SectionT:
    """Read a TOML file as a `kind` of top-level section, with `home` set to its directory.

    Raises:
        ConfigMissing: there is no such file.
        ConfigUnreadable: it is not a plain file, or cannot be read.
        ConfigInvalid: it is too large, not TOML, or says something it may not.
    """
    return _checked(file, _document(file), kind)


def _document(file: Path) -> dict[str, object]:
    kind_of_file = _kind(file)
    if not kind_of_file:
        raise ConfigMissing(f"There is no configuration file {file}.")
    if kind_of_file != stat.S_IFREG:  # a pipe would be waited for, a device read without an end
        raise ConfigUnreadable(f"{file} is not a plain file.")
    try:
        with file.open("rb") as handle:
            data = handle.read(MAX_CONFIG_BYTES + 1)
    except OSError as error:
        raise ConfigUnreadable(f"{file} cannot be read: {error.strerror}.") from error
    if len(data) > MAX_CONFIG_BYTES:
        raise ConfigInvalid(f"{file} is larger than {MAX_CONFIG_BYTES} bytes.")
    try:
        text = data.decode()
        check_depth(text)
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigInvalid(f"{file} is not TOML: {error}.") from error


def _checked(file: Path, document: Mapping[str, object], kind: type[SectionT]) -> SectionT:
    for own in ("home", "file", "places"):
        if own in document:
            raise ConfigInvalid(f"{file}: {own}: unknown field.")
    home = file.parent.resolve()
    try:
        return kind.model_validate({**document, "home": home, "file": home / file.name})
    except ValidationError as error:
        raise ConfigInvalid(f"{file}: {_said(error)}.") from error


def _said(error: ValidationError) -> str:
    """Say what is wrong, and where; what was written there may be a secret."""
    return "; ".join(
        ": ".join(filter(None, (".".join(map(str, item["loc"])), item["msg"])))
        for item in error.errors()[:5]
    )


def load_config(path: str | Path | None = None, profile: str | None = None) -> Config:
    """Read and check the configuration, or a profile: see `caimi.profiles`.

    Raises:
        ConfigMissing: there is no such file.
        ConfigInvalid: it is too large, not TOML, or says something it may not.
        UnknownProfile, InvalidName: there is no such profile.
    """
    name = chosen_profile(profile)
    if name is None:
        file = find_config(path)
        config = read_toml(file, Config)
    else:
        file, said = _profile(path, name)
        config = _checked(file, said, Config)
    listed: list[LedgerSection | PlaceSection] = [*config.ledgers, *config.places]
    for what, names in (
        ("id", [section.id for section in listed]),
        ("name", [section.name for section in listed]),
    ):
        if len(set(names)) != len(names):
            raise ConfigInvalid(f"{file}: two ledgers have the same {what}.")
    _check_assets(file, config)
    return config


def _profile(path: str | Path | None, name: str) -> tuple[Path, dict[str, object]]:
    file, tables = _profiles_in_file(path)
    if file is not None and name in tables:
        said = tables[name]
    else:
        file = None if _is_named(path) else profile_file(name)
        if file is None:
            raise unknown_profile(name, profile_names(path))
        said = _document(file)
    if "profiles" in said:
        raise ConfigInvalid(f"{file}: profiles.{name}: a profile has no profiles.")
    return file, with_own_state(name, said)


def profile_names(path: str | Path | None = None) -> list[str]:
    """Name the profiles there are, in the configuration file and in the user's folder.

    Raises:
        ConfigMissing, ConfigUnreadable, ConfigInvalid: a named file has none to read.
    """
    _, tables = _profiles_in_file(path)
    return sorted({*tables, *(() if _is_named(path) else profile_files())})


def raw_config(path: str | Path | None = None) -> tuple[Path, Mapping[str, object]]:
    """Give what the configuration, or the chosen profile, says, and its folder: unchecked.

    Raises:
        CaimiError: there is none to read.
    """
    name = chosen_profile()
    if name is None:
        file = find_config(path)
        return file.parent, _document(file)
    file, said = _profile(path, name)
    return file.parent, said


def config_source(path: str | Path | None = None) -> tuple[Path, tuple[str, ...]]:
    """Give the file that holds the configuration, or the chosen profile, and in which table.

    Raises:
        ConfigMissing, ConfigUnreadable, ConfigInvalid: there is none to read.
        UnknownProfile, InvalidName: there is no such profile.
    """
    name = chosen_profile()
    if name is None:
        return find_config(path), ()
    file, tables = _profiles_in_file(path)
    if file is not None and name in tables:
        return file, ("profiles", name)
    return _profile(path, name)[0], ()


def _profiles_in_file(path: str | Path | None) -> tuple[Path | None, dict[str, dict[str, object]]]:
    try:
        file = find_config(path)
    except ConfigMissing:
        if _is_named(path):
            raise
        return None, {}
    tables = _document(file).get("profiles", {})
    try:
        return file, TypeAdapter(Profiles).validate_python(tables, strict=True)
    except ValidationError as error:
        raise ConfigInvalid(f"{file}: profiles: {_said(error)}.") from error


def _is_named(path: str | Path | None) -> bool:
    return bool(path or os.environ.get("CAIMI_CONFIG"))


def _check_assets(file: Path, config: Config) -> None:
    """Refuse assets of no ledger, two of one name on a ledger, and a second name for the coin."""
    symbols, addresses = set(), set()
    for asset in config.assets:
        try:
            ledger = config.ledger(asset.ledger).id
        except UnknownLedger as error:
            raise ConfigInvalid(f"{file}: assets: {asset.symbol}: {error.what}") from error
        symbol = (ledger, asset.symbol.lower())
        address = (ledger, asset.address.lower())
        if symbol[1] == COIN:
            raise ConfigInvalid(f"{file}: assets: {COIN!r} is what a ledger's own coin is called.")
        if symbol in symbols or address in addresses:
            raise ConfigInvalid(
                f"{file}: assets: {ledger} has two of the symbol {asset.symbol}, or of its address."
            )
        symbols.add(symbol)
        addresses.add(address)


EXAMPLE = """\
# CAIMI configuration. Paths are relative to this file.
# `caimi devnet up` writes a complete one for a local network.

state = "state"                 # journal of your own operations

[keys]
directory = "keys"              # V3 keystores; make one with `caimi keys new alice`
# default = "alice"
# passphrase_file = "passphrase"  # or CAIMI_PASSPHRASE, CAIMI_PASSPHRASE_FILE, or the prompt
# contract = "eip155:1:0x…"     # a contract account that holds licences and takes your signatures

[store]
kind = "local"
path = "store"                  # sealed chunks and manifests, by content

# [database]                    # without it, SQLite files in state
# url = "postgresql+psycopg://caimi@db.example.org/caimi"  # the password is best in ~/.pgpass
# prefix = "caimi"              # of the schemas: one for each user that shares the database

[delivery]
mode = "self"                   # or "service" where a relayer process runs
wait_seconds = 120

# [[ledgers]]
# id = "eip155:1"               # CAIP-2
# name = "mainnet"
# family = "evm"                # of ledgers; the namespace of the id says so too
# rpc = "http://127.0.0.1:8545"
# endpoints = ["https://..."]    # further nodes: validators sign what none contradicts
# quorum = 2                    # how many of all must answer; default every one
# finality = "finalized"        # or "depth:12"
# # `caimi deploy mainnet` writes what follows here; so did whoever put CAIMI there.
# deployed_at = 0               # block of the deployment
# [ledgers.contracts]
# authority = "0x..."
# gateway = "0x..."
# registry = "0x..."
# bridge = "0x..."
# market = "0x..."
# receipts = "0x..."
# messages = "0x..."
# fees = "0x..."

# Tokens to price and pay in, beside each ledger's coin; checked against their contracts.
# [[assets]]
# symbol = "USDC"
# ledger = "mainnet"
# address = "0x..."
# decimals = 6

# What `caimi service relayer` does; without it, everything at once and for nothing.
# [relayer.price_caps]
# mainnet = 80_000_000_000      # wei a gas: above it nothing is sent there
# [relayer.turns]               # the same at each of the relayers that share the work
# accounts = ["eip155:1:0x...", "eip155:1:0x..."]  # of each of them, on each ledger
# [[relayer.routes]]            # the first that fits a route counts; what is left out fits all
# source = "mainnet"
# minimum_fee = 10_000_000_000_000_000  # escrowed for this relayer, or it carries nothing
# packets = 50                  # a batch goes once it has so many packets,
# work = 10_000_000             # or takes so much gas,
# wait_seconds = 30             # or its oldest packet has waited so long

# How `caimi service worker` runs models.
# [serving]
# ledger = "mainnet"            # whose account of its key signs and anchors receipts; or the first
# provider = "auto"             # CUDA where ONNX Runtime runs on it, else the CPU; or one of them
# threads = 1                   # of one run
# at_once = 64                  # requests under way
# batch_rows = 8                # together, of models whose rows stay apart; 1: never
# batch_kib = 1024              # of inputs together; more pays on CUDA
# batch_wait_ms = 0.0           # for others to come
# models = ["caimi:eip155:1:0x...", "eip155:1:0x..."]  # what it serves: models, versions,
#                               # publishers; without it, what its own key published or bought
# models_open = 64              # at a time
# models_mib = 8192             # of files of models that are kept open, and on the disk
# run_seconds = 60.0            # a run that takes longer is ended
# memory_mib = 8192             # of one model's process; without it, 3/4 of the machine's
# arena_mib = 4096              # of that, for what runs of one model need

# [tls]                         # whom it believes, and how services know it
# trust = ["org-a.pem"]         # authorities or single certificates; without it, the public ones
# certificate = "relayer.pem"   # shown to services that ask; a worker serves TLS with it
# key = "relayer.key"           # of mode 0600
# [profiles.test]               # another network, for `--profile test`: all that a file can say,
# state = "state-test"          # and nothing of what is above; or a file ~/.config/caimi/test.toml

# [committee]
# group_key = "0x..."
# [[committee.custodians]]
# index = 1
# url = "https://127.0.0.1:9001"
# account = "0x..."             # of the key that it attests and signs shares with
# trust = "org-a.pem"           # whom alone this node may be
"""
