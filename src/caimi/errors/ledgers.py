"""Errors of ledgers: connections, transactions, and what contracts answer (letter L)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from caimi.errors.base import CaimiError

_MAX_SHOWN: Final = 200


class LedgerError(CaimiError):
    """Something a ledger did, or did not do, stops the operation."""

    code = "CAIMI-L000"
    why = "A ledger's node or contract did not do what was asked."
    next_step = "Read what happened above and correct it."


class LedgerUnavailable(LedgerError):
    """A ledger's node cannot be reached, or does not answer in time."""

    code = "CAIMI-L001"
    why = "The node is down, the address is wrong, or the network is interrupted."
    next_step = "Check the rpc address in caimi.toml, then run the same command again."


class WrongLedger(LedgerError):
    """A node serves another chain than the one it is configured for."""

    code = "CAIMI-L002"
    why = "The node reports another chain id, so nothing it says can be trusted for this ledger."
    next_step = "Correct the rpc address or the id of the ledger in caimi.toml."


class LedgerAnswerInvalid(LedgerError):
    """A node's answer is malformed, contradicts itself or is too large."""

    code = "CAIMI-L003"
    why = "A node that does not follow the JSON-RPC specification cannot be relied on."
    next_step = "Use another node for this ledger."


class LedgerRefused(LedgerError):
    """A node refuses a request."""

    code = "CAIMI-L004"
    why = "The node's own message is given above."
    next_step = "Correct the request; if it is right, use another node for this ledger."


class ContractMissing(LedgerError):
    """There is no contract of ours at an address where one should be."""

    code = "CAIMI-L005"
    why = "The address belongs to another ledger, or the ledger was reset since the deployment."
    next_step = "Correct [ledgers.contracts] in caimi.toml, or deploy again."


class TransactionReverted(LedgerError):
    """A contract refuses a transaction or a read, which then has no effect.

    `error` and `arguments` are the contract's own words; `tx` is set when it was included.
    """

    code = "CAIMI-L006"
    why = "The contract's rules do not allow this now."
    next_step = "Read the contract's reason above; the state may have changed since it was read."

    def __init__(
        self,
        what: str,
        *,
        error: str = "",
        arguments: tuple[object, ...] = (),
        tx: str = "",
    ) -> None:
        super().__init__(what)
        self.error = error
        self.arguments = arguments
        self.tx = tx


class CallRefused(LedgerError):
    """The rules of a ledger's contracts do not allow a call, which then has no effect.

    `reason` is the rule's stable name, that of the Solidity contracts' error, and `arguments` what
    it is about, by name.
    """

    code = "CAIMI-L048"
    why = "The contracts' rules do not allow this now."
    next_step = "Read the reason above; the state may have changed since it was read."

    def __init__(self, reason: str, arguments: Mapping[str, object]) -> None:
        shown = ", ".join(f"{name} {_shown(value)}" for name, value in arguments.items())
        super().__init__(f"The call is refused: {reason}({shown}).")
        self.reason = reason
        self.arguments = dict(arguments)


def _shown(value: object) -> str:
    text = f"0x{value.hex()}" if isinstance(value, bytes) else repr(value)
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "..."


class InsufficientFunds(LedgerError):
    """An account cannot pay for a transaction."""

    code = "CAIMI-L007"
    why = "The value sent and the highest fee it may cost must be on the account."
    next_step = "Send the missing amount to the account and run the same command again."


class FeeAboveCap(LedgerError):
    """The ledger's fees are above what the policy allows."""

    code = "CAIMI-L008"
    why = "The fee market is higher than the cap that protects the account."
    next_step = (
        "Wait for fees to fall; what a relayer may pay is price_caps under [relayer] in caimi.toml."
    )


class TransactionFailed(TransactionReverted):
    """A transaction was included but had no effect, for no reason a contract gave."""

    code = "CAIMI-L009"
    why = "It ran out of gas, or the state changed between the check and the inclusion."
    next_step = "Run the same command again; only the fee was spent."


class TransactionStuck(LedgerError):
    """A transaction was not included within the waiting time."""

    code = "CAIMI-L010"
    why = "The node is not mining, or fees rose above what the policy may offer."
    next_step = "Run the same command again: it finishes this transaction and makes no second one."


class TransactionDisplaced(LedgerError):
    """Another transaction of the account took the nonce of this one."""

    code = "CAIMI-L011"
    why = (
        "The key is in use elsewhere, or another process of it put aside what held it up; this "
        "transaction can have no effect any more."
    )
    next_step = "Run the same command again once the other transaction is final."


class EventInvalid(LedgerError):
    """A log of one of our contracts cannot be decoded."""

    code = "CAIMI-L012"
    why = "The contract at this address is not the version that this release knows."
    next_step = "Check the contract addresses in caimi.toml, or upgrade CAIMI."


class FinalityInvalid(LedgerError):
    """A finality policy is not one that exists."""

    code = "CAIMI-L013"
    why = "A ledger is final by its `finalized` tag, or after a number of blocks."
    next_step = "Write `finalized` or `depth:N`."


class NotYetFinal(LedgerError):
    """A height did not become final within the waiting time."""

    code = "CAIMI-L014"
    why = "The ledger makes no blocks, or its finality lags."
    next_step = "Run the same command again: it goes on waiting."


class DeploymentInvalid(LedgerError):
    """A deployment record is incomplete or contradicts the ledger."""

    code = "CAIMI-L015"
    why = "Every contract of a deployment must be named, on the ledger it says."
    next_step = "Restore the record from its backup, or deploy again."


class AnvilMissing(LedgerError):
    """The anvil program cannot be found."""

    code = "CAIMI-L016"
    why = "Local ledgers in processes of their own run Foundry's anvil, which comes from npm."
    next_step = (
        "In a checkout run `make dev`. Elsewhere install Foundry and put its anvil on the path, or "
        "set CAIMI_ANVIL to the program."
    )


class AnvilFailed(LedgerError):
    """An anvil process ended or did not answer."""

    code = "CAIMI-L017"
    why = "Its port may be taken, or the program does not run on this machine."
    next_step = "Read its output above and start it again."


class LedgerStateDamaged(LedgerError):
    """What a local ledger has written down cannot be used."""

    code = "CAIMI-L058"
    why = "The files are damaged, were edited, or are of another version of anvil."
    next_step = "Put back a copy of them, or start anew with `caimi devnet up --fresh`."


class ArtifactMissing(LedgerError):
    """A contract's interface or bytecode is not in the installation."""

    code = "CAIMI-L018"
    why = "Contracts are compiled by `make contracts` and shipped with the package."
    next_step = "Install CAIMI again, or run `make contracts` in a checkout."


class CallInvalid(LedgerError):
    """A call cannot be put in the ledger's terms."""

    code = "CAIMI-L019"
    why = "An argument is too large, of the wrong length, or belongs to another ledger."
    next_step = "Correct the argument named above."


class AlreadyPublished(TransactionReverted):
    """The version is already on the ledger."""

    code = "CAIMI-L020"
    why = "A version is immutable once published."
    next_step = "Publish under a new version."


class UnknownVersion(TransactionReverted):
    """The registry knows no such version of the model."""

    code = "CAIMI-L021"
    why = "It was never published."
    next_step = "List the versions with `caimi show URI`."


class PriceChanged(TransactionReverted):
    """The price is not the one that was offered."""

    code = "CAIMI-L022"
    why = "The owner changed the price after it was quoted, or does not sell here."
    next_step = "Read the price again and decide anew."


class RouteLimited(TransactionReverted):
    """What may be sent over the route, or by one account over it, is used up for now."""

    code = "CAIMI-L045"
    why = (
        "A route carries so much in a time, and one account a twentieth of it; what is on its way"
        " counts until it ends, and what is refunded is given back."
    )
    next_step = "Wait until what you sent has ended, send less, or pay on another ledger."


class AlreadyBought(TransactionReverted):
    """The consumer already holds, or is already buying, a licence of the version."""

    code = "CAIMI-L023"
    why = "One licence of a version is all a consumer needs; a second payment is refused."
    next_step = "Use the licence: `caimi pull URI`."


class NotAllowed(TransactionReverted):
    """The account may not do this."""

    code = "CAIMI-L024"
    why = "Only the owner of the model, or a role of the deployment, may do it."
    next_step = "Use the key that owns the model, or ask the one who does."


class DeadlineRefused(TransactionReverted):
    """A packet's timeout has passed, has not passed yet, or is too far away."""

    code = "CAIMI-L025"
    why = "A packet must time out after now and within 24 hours, and ends by timeout only after it."
    next_step = "Choose another timeout, or wait until it has passed."


class ProofRefused(TransactionReverted):
    """A contract does not accept a proof or a signature."""

    code = "CAIMI-L026"
    why = (
        "Too few or wrong signatures, an unknown committee, or a path that does not prove the fact."
    )
    next_step = "Ask the validators for a newer checkpoint and make the proof again."


class PaymentRefused(TransactionReverted):
    """The payment is not what the market asks for, or the token refused it."""

    code = "CAIMI-L027"
    why = "The value, the currency, or the allowance does not fit the price."
    next_step = "Pay in the offered currency, and approve the market for tokens first."


class ModelAway(TransactionReverted):
    """The model's ownership is not on this ledger now."""

    code = "CAIMI-L028"
    why = "It was moved to another ledger, or is on its way."
    next_step = "Wait for the transfer to end, or act on the ledger that holds it."


class UnknownModel(TransactionReverted):
    """The registry knows no such model."""

    code = "CAIMI-L029"
    why = "It was never published on this ledger, or has not arrived here."
    next_step = "Check the URI, or find the model with `caimi search`."


class DelayRefused(LedgerError):
    """A ledger's governance cannot work with this delay."""

    code = "CAIMI-L030"
    why = (
        "What weakens security must wait as long as a packet in flight lasts (24 hours) at least, "
        "and a delay of more than 30 days leaves a mistake unmended for longer than that."
    )
    next_step = "Choose a delay between 1d and 30d; 3d suits most."


class HandOverRefused(LedgerError):
    """A ledger's administration cannot be handed over as it stands."""

    code = "CAIMI-L031"
    why = (
        "After the hand-over nothing but the timelock may weaken anything; what is named above "
        "would be a way around it."
    )
    next_step = "Undo it with the administrator's key, then run the same command again."


class NoTimelock(LedgerError):
    """A ledger's administrator is not a timelock."""

    code = "CAIMI-L032"
    why = "Changes are proposed to the timelock that administers a ledger; this one has none."
    next_step = "Run `caimi governance hand-over`, or make the change with the administrator's key."


class ProposalRefused(LedgerError):
    """A proposed change of governance is not one that can be proposed, carried out or cancelled."""

    code = "CAIMI-L033"
    why = "The timelock knows each change by its id, once, and carries it out after its delay."
    next_step = "Run `caimi governance show` to see what is pending, and when."


class ExitInvalid(LedgerError):
    """An emergency exit cannot go on with what it was given."""

    code = "CAIMI-L034"
    why = (
        "An exit takes one list of heirs, signed by two thirds and one more of the route's "
        "committee, for an exit that is open."
    )
    next_step = "Read docs/governance.md, and `caimi governance show` for the exits that are open."


class LedgerBehind(LedgerUnavailable):
    """A node does not know a block that another answer for the same ledger named."""

    code = "CAIMI-L041"
    why = "Several nodes answer under one address, and this one lags behind the others."
    next_step = "Run the same command again in some seconds, or use one node's own address as rpc."


class LedgerSilent(LedgerUnavailable):
    """A node took a question and gave no answer in the time that one question may take."""

    code = "CAIMI-L040"
    why = "The node accepts connections and does not answer: it hangs, is overloaded or syncing."
    next_step = (
        "Restart the node, or put another one's address under rpc in caimi.toml; then run the same "
        "command again."
    )


class HistoryGone(LedgerError):
    """A ledger, or the node asked, does not keep the state of a past height."""

    code = "CAIMI-L046"
    why = "Nodes that prune keep the newest states only, and some ledgers keep no other."
    next_step = "Use a node that keeps all states (an archive node) as rpc, and run it again."


class AmountInvalid(LedgerError):
    """An amount of money cannot be: it is negative, or joins what is not one asset."""

    code = "CAIMI-L049"
    why = "Amounts are of one asset of one ledger, and never less than nothing."
    next_step = "Name an amount of the asset that is asked for."


class WorkAboveBound(LedgerError):
    """A call would take more work than its sender allows; it was not signed."""

    code = "CAIMI-L067"
    why = "Whoever has code at an account that is paid could have the payer pay for any work."
    next_step = "Pay an account whose code does less, or none."


class NotOffered(LedgerError):
    """Something was asked of a ledger that ledgers of its kind do not offer."""

    code = "CAIMI-L047"
    why = "Not every kind of ledger has coins, fees for relayers, proofs of its state, or watchers."
    next_step = "Use another ledger for it; docs/architecture.md says what each kind offers."


class TokenUnusable(LedgerError):
    """The contract of a token does not do what tokens do."""

    code = "CAIMI-L055"
    why = "There is no token at that address, or its contract answers or moves otherwise."
    next_step = "Compare the address under [[assets]] in caimi.toml with what its issuer says."
