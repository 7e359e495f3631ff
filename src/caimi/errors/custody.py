"""Errors of the custody area: threshold keys, share requests, delivery, key generation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from caimi.errors.base import CaimiError


class CustodyError(CaimiError):
    """Something about keys held in custody is not as it must be."""

    code: ClassVar[str] = "CAIMI-K000"
    why: str = "A step of threshold custody was refused."
    next_step: str = "Read what was refused and correct it; nothing was disclosed."


class MalformedEncoding(CustodyError):
    """Bytes or JSON from a peer or a file do not follow their format exactly."""

    code: ClassVar[str] = "CAIMI-K001"
    why: str = "Every encoding has exactly one valid form, and anything else is refused."
    next_step: str = "Fetch the data again from its source; report the sender if it persists."


class InvalidKeyMaterial(CustodyError):
    """A key, a key share or a group of keys is inconsistent with itself."""

    code: ClassVar[str] = "CAIMI-K002"
    why: str = "Shares and verification keys must lie on one polynomial with the public key."
    next_step: str = "Restore the key share from its backup, or run the key generation again."


class InvalidCiphertext(CustodyError):
    """A sealed key fails its proof of well-formedness, or does not open."""

    code: ClassVar[str] = "CAIMI-K003"
    why: str = "It was altered, was made for another group key, or carries another label."
    next_step: str = "Fetch the sealed key from the ledger or the store again."


class LabelMismatch(CustodyError):
    """A sealed key is bound to another model or version than the one asked for."""

    code: ClassVar[str] = "CAIMI-K004"
    why: str = "A sealed key opens only the model version that it was sealed for."
    next_step: str = "Ask with the sealed key that this model version's record names."


class WrongShare(CustodyError):
    """A custodian's decryption share does not match its verification key."""

    code: ClassVar[str] = "CAIMI-K005"
    why: str = "The custodian sent a wrong share, or the share belongs to another sealed key."
    next_step: str = "Ask the other custodians, and report the one that is named."


class NotEnoughShares(CustodyError):
    """Fewer good decryption shares than the threshold could be had."""

    code: ClassVar[str] = "CAIMI-K006"
    why: str = "A sealed key opens only with shares of a threshold of the custodians."
    next_step: str = "Read each custodian's outcome; retry when enough of them can answer."

    def __init__(
        self,
        what: str,
        *,
        wrong: tuple[int, ...] = (),
        outcomes: Mapping[int, str] | None = None,
        evidence: Mapping[int, str] | None = None,
    ) -> None:
        """Take the indices of custodians with wrong shares, and each one's outcome in words.

        `evidence` is what shows others that a custodian signed its wrong share, in JSON
        (`caimi.custody.evidence`), by index.
        """
        super().__init__(what)
        self.wrong = wrong
        self.outcomes = dict(outcomes or {})
        self.evidence = dict(evidence or {})


class InvalidRequestSignature(CustodyError):
    """A share request is not signed by the consumer that it names."""

    code: ClassVar[str] = "CAIMI-K007"
    why: str = "Custodians answer only to the account that holds the licence."
    next_step: str = "Sign the request with the consumer's own key."


class StaleRequest(CustodyError):
    """A share request was issued too long ago, or in the future."""

    code: ClassVar[str] = "CAIMI-K008"
    why: str = "Old requests are refused so that a captured one cannot be used again."
    next_step: str = "Check this machine's clock and sign a fresh request."


class ReplayedRequest(CustodyError):
    """A share request with this nonce was answered already."""

    code: ClassVar[str] = "CAIMI-K009"
    why: str = "Each request is answered once."
    next_step: str = "Sign a fresh request with a new nonce."


class CustodianBusy(CustodyError):
    """A custodian has answered as many requests as it can remember for now."""

    code: ClassVar[str] = "CAIMI-K010"
    why: str = "Forgetting a nonce early would open the way for replays, so it refuses instead."
    next_step: str = "Wait for two freshness windows and ask again."


class GrantRefused(CustodyError):
    """The custodian's own view of the ledger shows no live grant for this consumer."""

    code: ClassVar[str] = "CAIMI-K011"
    why: str = "No key leaves without a live licence on the finalised ledger."
    next_step: str = "Buy a licence, or wait until the purchase is final and has been relayed."


class ModelErased(CustodyError):
    """The key of this model version was erased."""

    code: ClassVar[str] = "CAIMI-K012"
    why: str = "Its owner had the key destroyed; custodians refuse it for ever."
    next_step: str = "Ask the owner for another version."


class CustodianUnreachable(CustodyError):
    """A custodian did not answer."""

    code: ClassVar[str] = "CAIMI-K013"
    why: str = "Its service is down, or the network between is."
    next_step: str = "Check its address and status; any threshold of the others suffices."


class RefusedByCustodian(CustodyError):
    """A custodian answered with an error of its own."""

    code: ClassVar[str] = "CAIMI-K014"
    why: str = "The custodian's checks did not pass; its own error says which."
    next_step: str = "Follow the next step of the error that the custodian gave."


class UndeliverableShare(CustodyError):
    """A sealed message cannot be opened with this recipient key, or sealed for it."""

    code: ClassVar[str] = "CAIMI-K015"
    why: str = "It was sealed to another key or for another purpose, or was altered on its way."
    next_step: str = "Ask again with a fresh recipient key."


class CeremonyMisconfigured(CustodyError):
    """A key generation's members, threshold or enrolments do not fit together."""

    code: ClassVar[str] = "CAIMI-K016"
    why: str = "Every member must be known by name and agree on the same terms."
    next_step: str = "Correct the list of members and start a new ceremony."


class ForgedMessage(CustodyError):
    """A key generation message was not signed by its sender for this ceremony and round."""

    code: ClassVar[str] = "CAIMI-K017"
    why: str = "The coordinator that relays messages may not forge or mix them."
    next_step: str = "Fetch the round's messages again; replace the coordinator if it persists."


class Equivocation(CustodyError):
    """Members of a key generation were shown different messages."""

    code: ClassVar[str] = "CAIMI-K018"
    why: str = "A member, or the coordinator, told different members different things."
    next_step: str = "Start a new ceremony without the members that are named."


class CeremonyFailed(CustodyError):
    """A key generation cannot end with a key that can be trusted."""

    code: ClassVar[str] = "CAIMI-K019"
    why: str = "Too many members were silent or were disqualified."
    next_step: str = "Start a new ceremony with members that answer."


class WrongRound(CustodyError):
    """A key generation step was taken out of its order."""

    code: ClassVar[str] = "CAIMI-K020"
    why: str = "The rounds follow one another, each exactly once."
    next_step: str = "Give the messages of the round that the participant waits for."


class KeyShareFileError(CustodyError):
    """A key share file cannot be read or written."""

    code: ClassVar[str] = "CAIMI-K021"
    why: str = "The file is missing, damaged, open to others, or its directory is not writable."
    next_step: str = "Check the path and its permissions, or restore the file from its backup."


class WrongPassphrase(CustodyError):
    """A key share file does not open with this passphrase."""

    code: ClassVar[str] = "CAIMI-K022"
    why: str = "The passphrase is wrong, or the file was altered."
    next_step: str = "Try the passphrase again, or restore the file from its backup."


class TombstoneFileError(CustodyError):
    """The list of erased model versions cannot be read or written."""

    code: ClassVar[str] = "CAIMI-K023"
    why: str = "Without it a custodian could answer for an erased version, so it does not start."
    next_step: str = "Restore the file from its backup, or make room on its disk."


class ForeignHome(CustodyError):
    """A ledger was asked about a model whose home is another ledger."""

    code: ClassVar[str] = "CAIMI-K030"
    why: str = (
        "A model's id is made from its home's chain and registry, so only the home can say who "
        "owns it, who is licensed, and what its versions are."
    )
    next_step: str = "Name the model by its home's URI: `caimi search` lists it."


class NotConfirmed(CustodyError):
    """Not all members of a key generation have confirmed the key."""

    code: ClassVar[str] = "CAIMI-K031"
    why: str = "A share is of no use before every member has signed that it came to the same key."
    next_step: str = "Bring the members named back, and run the same command again."


class OrderRefused(CustodyError):
    """A step of a key generation was not ordered by this node's coordinator, just now, for it."""

    code: ClassVar[str] = "CAIMI-K032"
    why: str = (
        "Only the account set as coordinator in node.toml runs key generations, and each of its "
        "orders counts once, for one node, within two minutes."
    )
    next_step: str = "Run the same command with that account's key, and check the clocks."


class NotBroadcast(CustodyError):
    """A round's messages are not those that the coordinator wrote down on the ledger."""

    code: ClassVar[str] = "CAIMI-K033"
    why: str = "What the ledger shows is the same for all members; anything else might not be."
    next_step: str = "Wait until the entry is final at this node too, then relay the round again."


class CeremonyPending(CustodyError):
    """A key generation has ended here but for the others' confirmations."""

    code: ClassVar[str] = "CAIMI-K034"
    why: str = "Another member may be using its share already, so this one is not thrown away."
    next_step: str = (
        "Run the command that began it again: it goes on with it; `caimi committee make-key "
        "--abort` puts it aside."
    )


class CeremonyRecordDamaged(CustodyError):
    """What a node wrote down of a key generation cannot be read or written."""

    code: ClassVar[str] = "CAIMI-K035"
    why: str = "The files are missing, damaged, or on a full or read-only disk."
    next_step: str = "Restore the node's key-generation directory from its backup, or free disk."


class CeremonyStuck(CustodyError):
    """Some nodes hold shares of a key that others have lost their part of."""

    code: ClassVar[str] = "CAIMI-K036"
    why: str = "A second key generation would orphan every model sealed to the first key."
    next_step: str = "Restore the named nodes' directories from their backups and run it again."


class PolicyUnsupported(CustodyError):
    """A share request names a policy or shows credentials to a custodian that judges neither."""

    code: ClassVar[str] = "CAIMI-K037"
    why: str = "This custodian gives shares for licences and ownership alone."
    next_step: str = "Ask without a policy and without credentials, or ask other custodians."


class UnsignedAnswer(CustodyError):
    """A custodian's share is not signed by that custodian's key, for the request that was made."""

    code: ClassVar[str] = "CAIMI-K038"
    why: str = "Only what a custodian signed can be held against it, so nothing else is taken."
    next_step: str = (
        "Compare the custodian's account in caimi.toml with its `/v1/identity`; ask the others."
    )


class FalseRelease(CustodyError):
    """A custodian's statement that it released a key is not its own, or not of this request."""

    code: ClassVar[str] = "CAIMI-K039"
    why: str = "A release is what audits and payments go by, so a share without a true one is none."
    next_step: str = "Ask the other custodians, and report the one that is named."
