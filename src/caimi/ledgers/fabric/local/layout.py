"""Where everything of a local network is: folders, ports, names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from caimi.ledgers.fabric.msp.identity import MspSigner

ORDERER_MSP: Final = "OrdererMSP"
PORTS_A_PEER: Final = 3
PORTS_OF_ORDERER: Final = 2


@dataclass(frozen=True, slots=True)
class LocalMember:
    """A folder with one member's certificate (`cert.pem`) and key (`key.pem`)."""

    msp: str
    folder: Path

    @property
    def certificate(self) -> Path:
        return self.folder / "cert.pem"

    @property
    def key(self) -> Path:
        return self.folder / "key.pem"

    def signer(self) -> MspSigner:
        """Read what signs for it.

        Raises:
            FabricIdentityInvalid: the files are not there or not that.
        """
        return MspSigner.load(self.msp, self.certificate, self.key)


@dataclass(frozen=True, slots=True)
class LocalOrganisation:
    """One organisation: a peer, an administrator, users, and its own chaincode process."""

    msp: str
    root: Path
    first_port: int

    @property
    def folder(self) -> Path:
        """Everything of this organisation."""
        return self.root / self.msp

    @property
    def peer_port(self) -> int:
        return self.first_port

    @property
    def callback_port(self) -> int:
        """Where chaincode of the peer's own starting would call; nothing does."""
        return self.first_port + 1

    @property
    def chaincode_port(self) -> int:
        """Where this organisation's chaincode process listens."""
        return self.first_port + 2

    @property
    def peer_address(self) -> str:
        return f"127.0.0.1:{self.peer_port}"

    @property
    def chaincode_address(self) -> str:
        return f"127.0.0.1:{self.chaincode_port}"

    @property
    def tls_root(self) -> Path:
        """The certificate that the organisation's TLS certificates lead to."""
        return self.folder / "tls" / "ca.pem"

    @property
    def member_root(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def authority_key(self) -> Path:
        """The key that certifies members: who has it is anybody in this organisation."""
        return self.folder / "ca.key"

    @property
    def peer(self) -> LocalMember:
        return LocalMember(self.msp, self.folder / "members" / "peer")

    @property
    def admin(self) -> LocalMember:
        return LocalMember(self.msp, self.folder / "members" / "admin")

    @property
    def user(self) -> LocalMember:
        return LocalMember(self.msp, self.folder / "members" / "user")

    def end(self, name: str) -> LocalMember:
        """Give the TLS certificate of `peer`, `chaincode` or `client`."""
        return LocalMember(self.msp, self.folder / "tls" / name)


@dataclass(frozen=True, slots=True)
class LocalLayout:
    """One orderer, and organisations with a peer each, in a folder; ports follow each other."""

    root: Path
    channel: str
    organisations: tuple[LocalOrganisation, ...]
    first_port: int

    @classmethod
    def of(cls, root: Path, channel: str, msps: tuple[str, ...], first_port: int) -> LocalLayout:
        """Lay out a network."""
        after = first_port + PORTS_OF_ORDERER
        organisations = tuple(
            LocalOrganisation(msp, root, after + PORTS_A_PEER * at) for at, msp in enumerate(msps)
        )
        return cls(root, channel, organisations, first_port)

    @property
    def orderer_port(self) -> int:
        return self.first_port

    @property
    def participation_port(self) -> int:
        """Where the orderer is told which channels to serve."""
        return self.first_port + 1

    @property
    def orderer_address(self) -> str:
        return f"127.0.0.1:{self.orderer_port}"

    @property
    def ports(self) -> range:
        """All that something listens at."""
        count = PORTS_OF_ORDERER + PORTS_A_PEER * len(self.organisations)
        return range(self.first_port, self.first_port + count)

    @property
    def orderers(self) -> LocalOrganisation:
        """The organisation of the orderer, which has no peer."""
        return LocalOrganisation(ORDERER_MSP, self.root, self.first_port)

    @property
    def genesis(self) -> Path:
        """The channel's first block."""
        return self.root / "genesis.block"

    @property
    def tls_roots(self) -> tuple[Path, ...]:
        """Of all organisations."""
        return tuple(each.tls_root for each in (self.orderers, *self.organisations))
