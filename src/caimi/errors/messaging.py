"""Errors of packets, checkpoints, validators and relayers (letter M)."""

from __future__ import annotations

from caimi.errors.base import CaimiError


class MessagingError(CaimiError):
    """Something about messages between ledgers is wrong."""

    code = "CAIMI-M000"
    why = "A packet, a checkpoint or a proof is not as it must be."
    next_step = "See the message above; nothing was done with it."


class InvalidCheckpoint(MessagingError):
    """A checkpoint or its signature is malformed."""

    code = "CAIMI-M003"
    why = "Every field is bound by the signature, and signatures have one form (low s, v 27 or 28)."
    next_step = "Ask another validator."


class InvalidProof(MessagingError):
    """A proof does not prove what it is for."""

    code = "CAIMI-M004"
    why = "The root, a leaf, the committee or a signature does not fit."
    next_step = "Build the proof again from your own view of the ledger."


class NotFinal(MessagingError):
    """A validator was asked about a height it has not seen final."""

    code = "CAIMI-M005"
    why = "Validators sign only what can no longer change."
    next_step = "Ask again when the height is final."


class NothingToAttest(MessagingError):
    """A tree was asked for with no fact in it."""

    code = "CAIMI-M006"
    why = "An empty tree has no root, and zero is never a valid root."
    next_step = "Name at least one fact."


class RangeTooLarge(MessagingError):
    """A request covers too many blocks or packets."""

    code = "CAIMI-M007"
    why = "What one request may cost a validator is bounded."
    next_step = "Split it."


class NotFollowed(MessagingError):
    """A validator does not follow that ledger."""

    code = "CAIMI-M008"
    why = "Validators attest only ledgers in their own settings."
    next_step = "Ask a validator that follows it."


class AlreadySignedOtherwise(MessagingError):
    """A validator was about to contradict what it signed before."""

    code = "CAIMI-M009"
    why = "The ledger changed below its finality, or the validator's view of it is being attacked."
    next_step = (
        "Compare several nodes of that ledger before doing anything else. Where what was signed "
        "before had left something out, `caimi service clear` lets the truth be signed; see "
        "docs/runbook.md, section CaimiValidatorContradicted."
    )


class LedgerReorganised(AlreadySignedOtherwise):
    """A block that a validator signed as final was replaced."""

    code = "CAIMI-M020"
    why = "The ledger was reorganised beyond its finality policy, or the nodes' view is forged."
    next_step = (
        "Signing of that ledger has stopped. See docs/runbook.md, "
        "section CaimiValidatorReorganised."
    )


class SigningStopped(MessagingError):
    """A validator signs nothing more of a ledger until its operator clears it."""

    code = "CAIMI-M021"
    why = "A block that it had signed as final was replaced."
    next_step = "Its operator looks into it and runs `caimi service clear`; see docs/runbook.md."


class EndpointsDisagree(MessagingError):
    """A validator's endpoints of one ledger contradict each other about a final block."""

    code = "CAIMI-M022"
    why = "At least one is wrong, forked or forged, and nobody can tell which from here."
    next_step = "Compare them with others; take the wrong one out of the settings."


class TooFewEndpoints(MessagingError):
    """Fewer of a validator's endpoints answer than must agree."""

    code = "CAIMI-M023"
    why = "Endpoints are down, prune what is asked for, or the quorum is impossible."
    next_step = "See what each answered above; replace the ones that do not answer."


class ForgedDelivery(MessagingError):
    """A ledger received a packet that its counterparty did not send."""

    code = "CAIMI-M030"
    why = "A threshold of the route's committee signed what is not on the source."
    next_step = "The route is paused. See docs/runbook.md, section CaimiForgery."


class ForgedAbsence(MessagingError):
    """A packet timed out although it had been received."""

    code = "CAIMI-M031"
    why = "A threshold of the route's committee signed the absence of what is there."
    next_step = "The route is paused. See docs/runbook.md, section CaimiForgery."


class ForgedAcknowledgement(MessagingError):
    """A packet was acknowledged although it was not received, or was answered otherwise."""

    code = "CAIMI-M032"
    why = "A threshold of the route's committee signed an acknowledgement that is not there."
    next_step = "The route is paused. See docs/runbook.md, section CaimiForgery."


class ContradictingStatements(MessagingError):
    """A committee signed two contents of one range of blocks."""

    code = "CAIMI-M033"
    why = "A threshold of its keys is in wrong hands, or the ledger broke its finality."
    next_step = "The client is frozen, the route paused. See docs/runbook.md, section CaimiForgery."


class DeliveryUnreadable(MessagingError):
    """A packet was delivered or acknowledged in a way that does not show the watcher with what."""

    code = "CAIMI-M034"
    why = "It came through another contract, and the watcher's node gives no traces of calls."
    next_step = "Give the watcher a node with debug_traceTransaction. Nothing was paused."


class SignedStoreDamaged(MessagingError):
    """A validator's record of what it signed cannot be read or written."""

    code = "CAIMI-M010"
    why = "Without it the validator could contradict itself, so it does not sign."
    next_step = "Restore the file from a backup, or enrol the validator with a new key."


class ReceivedAfterAll(MessagingError):
    """A validator was asked to attest the absence of a packet that was received."""

    code = "CAIMI-M011"
    why = "The packet did arrive in time."
    next_step = "Relay its acknowledgement instead."


class NotEnoughAttestations(MessagingError):
    """Fewer validators than the threshold signed what the relayer sees."""

    code = "CAIMI-M012"
    why = "Too many are unreachable, behind, or of another opinion."
    next_step = "Wait and relay again; see what each validator answered above."

    def __init__(self, what: str, *, contradicted: bool = False) -> None:
        super().__init__(what)
        self.contradicted = contradicted
        """Whether a validator said that it had signed something else of these blocks."""


class UnprovableClient(MessagingError):
    """A route's light client is of a kind that this relayer makes no proofs for."""

    code = "CAIMI-M014"
    why = "Its type is not known here, or it is made of too many clients."
    next_step = "Use a relayer that knows the client; the route's owner can tell which."


class TooFewProofs(MessagingError):
    """Fewer members of a composite client can be proved to than it asks for."""

    code = "CAIMI-M015"
    why = "Members are frozen, their validators do not answer, or a node gives no proofs."
    next_step = "See what was missing for each member above."


class InvalidTurns(MessagingError):
    """The list of relayers that take turns cannot be followed."""

    code = "CAIMI-M016"
    why = "Each relayer finds its own place in one list that all of them share."
    next_step = (
        "Correct [relayer.turns]: every relayer's account on each ledger, once, and a guard below "
        "the slot."
    )


class InvalidTariff(MessagingError):
    """A relayer's prices make no sense."""

    code = "CAIMI-M017"
    why = "Ratios are positive; margins, minimums and work are not negative."
    next_step = "Correct the route in [[relayer.routes]]."


class UnknownPacket(MessagingError):
    """A packet that was named is not one of the ledger's."""

    code = "CAIMI-M018"
    why = "The client id or the sequence is wrong, or it was sent in a block that is not there yet."
    next_step = "See the transaction that sent it for both."


class ClaimPending(MessagingError):
    """What an optimistic client would believe is not believed yet."""

    code = "CAIMI-M019"
    why = "A claim can be challenged for a time, and somebody must make it."
    next_step = "Wait; the relayer looks again by itself."

    def __init__(self, what: str, seconds: float = 0.0) -> None:
        super().__init__(what)
        self.seconds = seconds
        """When to look again."""


class EventsMissing(MessagingError):
    """A node left out events of a ledger."""

    code = "CAIMI-M013"
    why = (
        "Packets are numbered without gaps, and headers commit to receipts; a node that lags or "
        "prunes can leave some out."
    )
    next_step = "If it keeps happening, use another node of that ledger."
