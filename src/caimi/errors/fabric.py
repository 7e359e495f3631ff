"""Errors of Hyperledger Fabric: programs, networks, identities, transactions, blocks (letter F)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from caimi.errors.ledgers import LedgerError, LedgerUnavailable


class FabricError(LedgerError):
    """Something of a Fabric network stops the operation."""

    code = "CAIMI-F000"
    why = "A peer, an orderer or a chaincode did not do what was asked."
    next_step = "Read what happened above and correct it."


class FabricProgramsMissing(FabricError):
    """Fabric's peer or orderer cannot be found."""

    code = "CAIMI-F001"
    why = "Local Fabric networks run the real programs, which are built from pinned Go modules."
    next_step = (
        "In a checkout run `make fabric`. Elsewhere set CAIMI_FABRIC to a folder that holds peer "
        "and orderer."
    )


class FabricProgramsDamaged(FabricError):
    """Fabric's programs are not the ones that their sources make."""

    code = "CAIMI-F002"
    why = "The files were changed or cut short since they were built, or were built from others."
    next_step = "Remove the folder and run `make fabric` again."


class FabricBuildFailed(FabricError):
    """Fabric's programs cannot be built."""

    code = "CAIMI-F003"
    why = "The Go toolchain or a module could not be fetched, or the compiler ended with an error."
    next_step = "Read its output above, see that the network and the disk serve, and run it again."


class FabricSignatureInvalid(FabricError):
    """A signature on a Fabric message is not its signer's."""

    code = "CAIMI-F004"
    why = "The message or the signature was changed, or another key signed it."
    next_step = "Do not believe this peer: read the same from peers of other organisations."


class FabricIdentityInvalid(FabricError):
    """A Fabric identity cannot be used."""

    code = "CAIMI-F005"
    why = "It is a certificate of a member for P-256, under the name of the member's MSP."
    next_step = "Name the certificate, key and MSP that the organisation's administrator gave you."


class FabricIdentityUnknown(FabricError):
    """A certificate is of no organisation of the channel."""

    code = "CAIMI-F006"
    why = "The channel's configuration names the authorities of its organisations, and no other's."
    next_step = "Use a certificate of an organisation on the channel, under its MSP's name."


class FabricIdentityExpired(FabricError):
    """A certificate is not valid at this time."""

    code = "CAIMI-F007"
    why = "Peers and orderers take nothing from certificates outside of their time."
    next_step = "Have the organisation's authority issue a new one, or set this machine's clock."


class FabricIdentityRevoked(FabricError):
    """A certificate was revoked by its organisation."""

    code = "CAIMI-F008"
    why = "It is on a revocation list in the channel's configuration."
    next_step = "Ask the organisation's administrator for a new certificate."


class FabricConfigurationInvalid(FabricError):
    """A channel's configuration cannot be used."""

    code = "CAIMI-F009"
    why = "It is damaged, or holds what this program does not know."
    next_step = "Read it from another peer; if it is the same, this channel is not supported."


class FabricUnavailable(LedgerUnavailable):
    """A peer cannot be reached, or does not answer in time."""

    code = "CAIMI-F010"
    why = "The peer is down or overloaded, the address is wrong, or the network is interrupted."
    next_step = "Check the peer's address in caimi.toml, then run the same command again."


class FabricPeerNotTrusted(FabricError):
    """A peer shows a TLS certificate that is not of the authority named for it."""

    code = "CAIMI-F011"
    why = "The TLS root or the peer's address in caimi.toml is another's, or somebody is between."
    next_step = "Compare the TLS root certificate with the one that the peer's operator has."


class FabricRefused(FabricError):
    """A peer refuses a request."""

    code = "CAIMI-F012"
    why = "The peer's own message is given above."
    next_step = "Correct the request; if it is right, ask the peer's operator."


class FabricAccessDenied(FabricRefused):
    """A peer does not let this identity do that."""

    code = "CAIMI-F013"
    why = (
        "The certificate is of no organisation on the channel, expired, revoked, or in a role that "
        "the channel's policies do not allow this."
    )
    next_step = "Use an identity that the channel's policies allow it, or have them changed."


class FabricChaincodeMissing(FabricRefused):
    """The chaincode is not there, or does not run."""

    code = "CAIMI-F014"
    why = (
        "It is not installed on the peer, its definition is not committed on the channel, or its "
        "process cannot be reached by the peer."
    )
    next_step = "Start the chaincode's process; if it runs, have its definition put on the channel."


class FabricChaincodeBusy(FabricChaincodeMissing):
    """A chaincode's process takes nothing on now: it is ending, or has too much under way."""

    code = "CAIMI-F037"
    why = "Its process is started again, or is asked for more than it does at a time; that passes."
    next_step = "Run the same command again; if it stays, look at the chaincode's own log."


class FabricChaincodeRefused(FabricRefused):
    """A chaincode refuses a call."""

    code = "CAIMI-F015"
    why = "The chaincode's own message is given above."
    next_step = "Correct the call."
    said: str = ""
    """The chaincode's message alone."""

    @classmethod
    def saying(cls, said: str, what: str) -> Self:
        """Make one with the chaincode's own message."""
        made = cls(what)
        made.said = said
        return made


class FabricEndorsersDisagree(FabricRefused):
    """Organisations gave different answers to one proposal; nothing was done."""

    code = "CAIMI-F016"
    why = (
        "One peer lags behind the other, or an organisation runs other code or holds other state: "
        "then nothing that needs both can be done."
    )
    next_step = "Run the same command again; if it stays, compare the organisations' chaincode."


class FabricPeersMissing(FabricRefused):
    """The peers that a policy asks for are not there."""

    code = "CAIMI-F017"
    why = "Too few organisations have a peer that is up, knows the others and runs the chaincode."
    next_step = "See that enough organisations' peers and chaincode processes run."


class FabricAnswerInvalid(FabricError):
    """A peer's answer is malformed, contradicts itself or is too large."""

    code = "CAIMI-F018"
    why = "A peer that does not follow Fabric's protocol cannot be relied on."
    next_step = "Use another peer."


class FabricReadConflict(FabricError):
    """A transaction read what another changed before it was ordered; it had no effect."""

    code = "CAIMI-F019"
    why = "Of transactions that read and write one key at a time, the first in a block counts."
    next_step = "Run the same command again."


class FabricPolicyNotMet(FabricError):
    """A transaction lacks endorsements that its chaincode's policy asks for; it had no effect."""

    code = "CAIMI-F020"
    why = "Not enough organisations signed the same result, or a signature is not valid."
    next_step = "Have more organisations endorse it: the chaincode's definition says which."


class FabricTransactionInvalid(FabricError):
    """A transaction was ordered and found invalid; it had no effect."""

    code = "CAIMI-F021"
    why = "Every peer judges a transaction when its block comes; the verdict is given above."
    next_step = "Correct its cause and run the same command again."


class FabricNodeFailed(FabricError):
    """A peer, an orderer or a chaincode on this machine ended, or does not answer."""

    code = "CAIMI-F022"
    why = "Its port may be taken, its files damaged, or the program does not run on this machine."
    next_step = "Read its output above and start it again."


class FabricNetworkDamaged(FabricError):
    """A folder does not hold the local network that it should."""

    code = "CAIMI-F023"
    why = "The files were edited, are another network's, or another program uses them."
    next_step = "Name another folder, or remove this one to begin anew."


class FabricForked(FabricError):
    """A channel has two histories, or a peer shows another channel."""

    code = "CAIMI-F024"
    why = "Blocks name the hash of the one before. Orderers signed two, or this is not the channel."
    next_step = "Stop what signs for this ledger, and compare blocks with the other organisations."


class FabricPeersDisagree(FabricError):
    """Peers of two organisations judge one transaction differently."""

    code = "CAIMI-F025"
    why = "Nobody signs whether a transaction took effect; a peer may be wrong, damaged, or lying."
    next_step = "Ask both peers' operators; until they agree, nothing is signed for this ledger."


class FabricPackageInvalid(FabricError):
    """A chaincode package cannot be made or used."""

    code = "CAIMI-F026"
    why = "A label is letters and digits joined by . + _ or -, an address is host:port."
    next_step = "Correct the label or the address."


class ChaincodeRefusal(FabricError):
    """A contract refuses a transaction: nothing of it is done, and no peer endorses it."""

    code = "CAIMI-F027"
    why = "The contract's rules do not allow the call."
    next_step = "Correct the call."


class ChaincodeStreamInvalid(FabricError):
    """A peer does not follow the protocol between peers and chaincode."""

    code = "CAIMI-F028"
    why = "The messages that Fabric's peers send are checked before anything is done with them."
    next_step = "See that only your organisation's peer can reach the chaincode's port."


class FabricChannelMissing(FabricRefused):
    """A peer is not on the channel."""

    code = "CAIMI-F029"
    why = "The channel has another name, or the peer was never joined to it."
    next_step = "Correct the channel's name in caimi.toml, or join the peer to it."


class EndorsedReadInvalid(FabricError):
    """What a peer signed is not what was read for a light client."""

    code = "CAIMI-F040"
    why = "It is of another ledger, channel, chaincode or key than was asked for."
    next_step = "See that the channel's chaincode is CAIMI's, and the ledger's name in caimi.toml."


class EndorsersNotApart(FabricError):
    """The peers that are to sign a read are not each of another organisation."""

    code = "CAIMI-F041"
    why = "A light client counts organisations: of two peers of one it believes one."
    next_step = "Name one peer of each organisation whose key the light client has."


class FabricApprovalsMissing(FabricError):
    """A chaincode's definition waits for other organisations."""

    code = "CAIMI-F045"
    why = "A definition is a channel's once enough of its organisations approved it: a majority."
    next_step = "Have the others' administrators approve it, and run the same command again."

    @classmethod
    def of(
        cls, name: str, version: str, sequence: int, channel: str, missing: Sequence[str]
    ) -> Self:
        """Say who has to approve what, and how that is typed."""
        others = ", ".join(missing)
        return cls(
            f"{name} {version} (sequence {sequence}) is approved here, and waits on {channel} for "
            f"{others}.",
            next_step=(
                f"An administrator of {others} runs `caimi deploy` there, or types `peer lifecycle "
                "chaincode install PACKAGE` and `peer lifecycle chaincode approveformyorg "
                f"--channelID {channel} --name {name} --version {version} --sequence {sequence} "
                "--package-id ID --orderer ORDERER --tls --cafile FILE`. Then run the same command "
                "again."
            ),
        )


class FabricLifecycleUntold(FabricError):
    """A channel has no such chaincode, and nothing says how to put it there."""

    code = "CAIMI-F046"
    why = "What is put on a channel is installed and approved by each organisation's administrator."
    next_step = (
        "Add a [ledgers.lifecycle] table with an administrator's certificate and key to the "
        "ledger's section; or type the `peer lifecycle` commands of docs/fabric.md. Then run the "
        "same command again."
    )


class FabricProcessSilent(FabricError):
    """A chaincode is a channel's, and no process of it answers."""

    code = "CAIMI-F047"
    why = (
        "Each organisation runs the chaincode beside its peer, which reaches it at the address in "
        "the package."
    )
    next_step = "Start `caimi service chaincode` where the package says, and run the command again."


class FabricTermsRefused(FabricError):
    """An organisation does not endorse a ledger's founding on these terms."""

    code = "CAIMI-F048"
    why = "Its chaincode was given a file with other terms, and endorses no others."
    next_step = "Compare `caimi fabric show FILE` at each organisation, and give all the same file."


class FabricFoundingWaits(FabricError):
    """Everything is ready on a channel but the ledger's founding, which another account does."""

    code = "CAIMI-F049"
    why = "A ledger is founded by the account that its terms name as the administrator."
    next_step = "Have that account run `caimi deploy`, and run the same command again."


class FabricOneOrganisation(FabricError):
    """A validator is to see a channel by way of one organisation alone."""

    code = "CAIMI-F034"
    why = "Which transactions of a block count nobody signs: peers of two organisations must agree."
    next_step = "List a peer of another organisation under the ledger's peers."


class FabricFoundedOtherwise(FabricError):
    """A ledger on a channel was founded before, on other terms."""

    code = "CAIMI-F035"
    why = "A channel's chaincode is founded once: whoever administers it was named then."
    next_step = "Use that administrator's key, or take the section over from whoever founded it."


class FabricPortsTaken(FabricError):
    """Somebody listens where a local Fabric network does."""

    code = "CAIMI-F036"
    why = "Its certificates' addresses, its channel and its packages name its ports for good."
    next_step = "End who listens there, or make another network with `caimi devnet up --fresh`."


class FabricTermsInvalid(FabricError):
    """What should be a ledger's founding terms is none."""

    code = "CAIMI-F055"
    why = "Terms name the ledger, two of its accounts and, if there is one, its accounting asset."
    next_step = "Write them with `caimi fabric terms`, and give all organisations the same file."


class FabricTermsDiffer(FabricError):
    """A ledger has another accounting asset, or other terms, than the configuration says."""

    code = "CAIMI-F056"
    why = "A ledger's terms never change, so one of the two is meant for another channel."
    next_step = "Make the ledger's section say what the ledger does."
