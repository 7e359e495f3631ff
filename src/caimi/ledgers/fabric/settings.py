"""What a section of the configuration says of a ledger on a Fabric channel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator

from caimi.config import Section
from caimi.config.values import PathText
from caimi.errors.operations import ConfigInvalid
from caimi.hashing import sha256
from caimi.ledgers.fabric.terms import AccountingTerms
from caimi.ledgers.machine.ed25519_accounts import Ed25519Accounts
from caimi.ledgers.port import LedgerId
from caimi.places import cache_folder

MAX_PEERS: Final = 17
_MAX_PORT: Final = 65_535
_ANY: Final = LedgerId("fabric:any")

Fingerprint = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
ChannelName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9.-]{0,248}$")]
ChaincodeName = Annotated[
    str, StringConstraints(pattern=r"^[a-zA-Z0-9]+([-_][a-zA-Z0-9]+)*$", max_length=64)
]
MspName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9._-]{1,128}$")]
HostName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9._-]{1,253}$")]
Address = Annotated[
    str, StringConstraints(pattern=r"^([a-zA-Z0-9._-]{1,253}|\[[0-9a-fA-F:.]{2,45}\]):[0-9]{1,5}$")
]
"""A host and a port; an IPv6 host is in brackets."""
ChaincodeVersion = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.+-]+$", max_length=64)]
PolicyPath = Annotated[str, StringConstraints(pattern=r"^/Channel(/[A-Za-z0-9_.-]{1,64}){1,4}$")]


def _whole_path(text: str) -> str:
    """See that a path begins at the root or a home directory: sections are copied to others."""
    if not text.startswith(("/", "~")):
        raise ValueError(f"{text!r:.80} is no whole path: begin it with / or ~")
    return text


WholePath = Annotated[PathText, AfterValidator(_whole_path)]


class FabricPeer(Section):
    """One peer: of whom it is, where it answers, and how both ends are known.

    `tls_roots` leads to its certificate, whose name is `host` where that is not the address; it is
    shown `tls_certificate`, if it asks for one.
    """

    address: Address
    msp: MspName
    tls_roots: PathText
    tls_certificate: PathText | None = None
    tls_key: PathText | None = None
    host: HostName | None = None

    @field_validator("tls_roots", "tls_certificate", "tls_key")
    @classmethod
    def _paths_are_whole(cls, text: str | None) -> str | None:
        return None if text is None else _whole_path(text)

    @field_validator("address")
    @classmethod
    def _port_is_one(cls, text: str) -> str:
        if not 1 <= int(text.rpartition(":")[2]) <= _MAX_PORT:
            raise ValueError(f"{text} names no port from 1 to {_MAX_PORT}")
        return text

    @model_validator(mode="after")
    def _certificate_and_key_go_together(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("a tls_certificate and its tls_key go together")
        return self


class FabricLifecycle(Section):
    """How `caimi deploy` does one organisation's part of putting the chaincode on the channel.

    `certificate` and `key` (PEM) are those of an administrator of `msp`, who asks the first peer
    of that organisation; `package` is what that peer installs (`caimi fabric package`), `terms`
    what the organisation agreed to (`caimi fabric terms`), `version` what the definition says.
    """

    certificate: WholePath
    key: WholePath
    package: WholePath
    terms: WholePath
    version: ChaincodeVersion = "1"


class FabricPlace(Section):
    """Where a channel's chaincode is asked, and by whom.

    `certificate` and `key` (PEM) are those of a member of `msp`. The first of `peers` is asked
    first, others when it is down; validators sign only what `quorum` of them all show, which are
    at least peers of two organisations. Blocks are kept, checked, in files beside `copy`: one for
    each peer, and one for whichever answers. `policy` names the channel's policy that transactions
    of the chaincode meet, where that is not /Channel/Application/Endorsement. `accounting` is what
    the ledger is to have, or has, as its coin.
    """

    channel: ChannelName
    chaincode: ChaincodeName
    msp: MspName
    certificate: PathText
    key: PathText
    copies: PathText | None = Field(default=None, alias="copy")
    quorum: Annotated[int, Field(ge=2, le=MAX_PEERS)] | None = None
    policy: PolicyPath | None = None
    accounting: AccountingTerms | None = None
    lifecycle: FabricLifecycle | None = None
    peers: Annotated[list[FabricPeer], Field(min_length=1, max_length=MAX_PEERS, strict=False)]

    @field_validator("certificate", "key", "copies")
    @classmethod
    def _paths_are_whole(cls, text: str | None) -> str | None:
        return None if text is None else _whole_path(text)

    @model_validator(mode="after")
    def _peers_are_different_and_enough(self) -> Self:
        if len({peer.address for peer in self.peers}) != len(self.peers):
            raise ValueError("a peer is listed twice")
        issuer = self.accounting.issuer if self.accounting else None
        if issuer is not None and not Ed25519Accounts(_ANY).is_account(issuer.encode()):
            raise ValueError(f"the issuer {issuer} is no account of a Fabric ledger")
        if self.quorum is not None and not self.least_quorum <= self.quorum <= len(self.peers):
            raise ValueError(
                f"a quorum of {self.quorum} of {len(self.peers)} peers is impossible, or could be "
                "of one organisation"
            )
        return self

    @property
    def least_quorum(self) -> int:
        """How many peers are surely not all of one organisation's."""
        return 1 + max(Counter(peer.msp for peer in self.peers).values())


class FabricSettings(FabricPlace):
    """The same, and on which `terms` the ledger was founded: their fingerprint."""

    terms: Fingerprint


def path_of(text: str) -> Path:
    """Give a path of a section.

    Raises:
        ConfigInvalid: it begins with a home directory that nobody knows.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ConfigInvalid(
            f"{text!r:.80} names a home directory, and none is known.",
            why="HOME is not set, or there is no such user.",
            next_step="Write the whole path in caimi.toml, or set HOME.",
        ) from error


def copy_of(ledger: LedgerId, place: FabricPlace, peers: Sequence[FabricPeer]) -> Path:
    """Give the file of a copy of a ledger that is made from what these peers say, and no others.

    What one peer says is not taken for another's: a validator's view of one is a file of its own,
    and so is what comes from whichever of several answers.

    Raises:
        ConfigInvalid, SystemRefused: nobody knows where the user's files are.
    """
    name = ledger.partition(":")[2]
    file = path_of(place.copies) if place.copies else cache_folder() / "ledgers" / f"{name}.sqlite"
    asked = "\n".join(f"{peer.msp} {peer.address}" for peer in peers)
    mark = sha256(asked.encode()).hex()[:8]
    return file.with_name(f"{file.stem}-{mark}{file.suffix}")
