"""A node's settings: `node.toml` in its own directory, beside its keystore and state."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from caimi.config import (
    DatabaseSection,
    HexAddress,
    HttpUrl,
    LedgerSection,
    LoggingSection,
    Name,
    PathText,
    Section,
    TopSection,
    TrustedFiles,
)

PUBLIC_KEY: Final = r"0x0[23][0-9a-f]{64}"
"""A compressed public key of secp256k1, as an expression."""
PublicKeyText = Annotated[str, StringConstraints(pattern=f"^{PUBLIC_KEY}$")]


class MemberSection(Section):
    """One member of the committee: validator and custodian under one account."""

    index: Annotated[int, Field(ge=1, le=256)]
    account: HexAddress
    public_key: PublicKeyText


class SignerSection(Section):
    """A service that keeps the key which attests: see `caimi.services.remote_signer`.

    It is shown the node's own certificate. `trust` alone may answer, else those of `[tls]`.
    """

    url: HttpUrl
    token_file: PathText | None = None
    trust: PathText | None = None


class IbcAttestorSection(Section):
    """A key that attests one of the ledgers in ibc-go's format, and nothing else."""

    ledger: str
    keystore: str


class ServingTlsSection(Section):
    """The certificate that a node shows, and whose it believes: of other services.

    Without a certificate a client is anybody, and has what is for everybody; with `clients`
    "required" nobody is answered without one.
    """

    certificate: PathText = "tls.pem"
    key: PathText = "tls.key"
    trust: TrustedFiles = Field(default_factory=list)
    clients: Literal["optional", "required"] = "optional"


class NodeDraft(TopSection):
    """What a node's operator says of it before there is a committee; see `caimi.node.founding`."""

    name: Name
    organisation: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    url: HttpUrl
    host: str
    port: Annotated[int, Field(ge=1, le=65535)]
    logging: LoggingSection = LoggingSection(format="json")
    ledgers: Annotated[list[LedgerSection], Field(max_length=1000, strict=False)]


class NodeSettings(TopSection):
    """What one validator and custodian needs to know. The threshold is for keys and signatures.

    `coordinator` is the account that orders key generations; without one there are none. With a
    `signer` the member's account is the one that it keeps; the keystore's key remains the
    node's identity in key generations.
    """

    index: Annotated[int, Field(ge=1, le=256)]
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)]
    keystore: str = "account.json"
    signer: SignerSection | None = None
    key_share: str = "key-share.bin"
    key_generation: str = "key-generation"
    coordinator: HexAddress | None = None
    signed: str = "signed.sqlite"
    database: DatabaseSection | None = None
    logging: LoggingSection = LoggingSection()
    tls: ServingTlsSection | None = None
    tombstones: str = "tombstones.log"
    epoch: Annotated[int, Field(ge=0)] = 0
    threshold: Annotated[int, Field(ge=2, le=256)]
    committee: Annotated[list[MemberSection], Field(min_length=2, max_length=256, strict=False)]
    ledgers: Annotated[list[LedgerSection], Field(max_length=1000, strict=False)]
    ibc_attestors: list[IbcAttestorSection] = Field(
        default_factory=list, max_length=1000, strict=False
    )

    @model_validator(mode="after")
    def _indices_are_the_order(self) -> Self:
        if [member.index for member in self.committee] != list(range(1, len(self.committee) + 1)):
            raise ValueError("committee indices must be 1, 2, 3, … in order")
        if self.index > len(self.committee) or self.threshold > len(self.committee):
            raise ValueError("index and threshold must not exceed the committee's size")
        attested = [section.ledger for section in self.ibc_attestors]
        if len(set(attested)) < len(attested) or not set(attested) <= {x.id for x in self.ledgers}:
            raise ValueError("ibc_attestors must name ledgers listed here, each once")
        stores = [self.keystore, *(section.keystore for section in self.ibc_attestors)]
        if len(set(stores)) < len(stores):
            raise ValueError("each of ibc_attestors needs a keystore of its own")
        return self
