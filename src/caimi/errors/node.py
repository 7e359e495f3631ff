"""Errors of nodes, their HTTP API and the local network (letter N)."""

from __future__ import annotations

from caimi.errors.base import CaimiError


class RequestInvalid(CaimiError):
    """A request to a node is malformed or too large."""

    code = "CAIMI-N001"
    why = "Nodes parse strictly and bound everything that comes from outside."
    next_step = "Send what docs/protocol.md says, section HTTP."


class RoleMissing(CaimiError):
    """The node does not play the role that was asked of it."""

    code = "CAIMI-N002"
    why = "It holds no key share yet, or it is no worker."
    next_step = "Finish the key generation first, or ask another node."


class KeyShareExists(CaimiError):
    """The node already holds a key share and makes no second one."""

    code = "CAIMI-N003"
    why = "A second key generation would orphan every model sealed to the first key."
    next_step = "Use another node, or rotate the committee."


class CeremonyUnknown(CaimiError):
    """The node takes no part in that key generation, or awaits another step of it."""

    code = "CAIMI-N004"
    why = "The node was restarted, or the coordinator is out of step."
    next_step = "Start a new key generation."


class NodeUnreachable(CaimiError):
    """A node or worker does not answer."""

    code = "CAIMI-N005"
    why = "The process is not running, or the network is down."
    next_step = (
        "Check its address and that it runs. On a local network `caimi devnet status` shows what "
        "is down, and `caimi devnet up` starts that again."
    )


class NodeRefused(CaimiError):
    """A node answered with an error."""

    code = "CAIMI-N006"
    why = "See what it said."
    next_step = "Correct the request, or look at the node's log."


class DevnetRunning(CaimiError):
    """A local network is up here, and what was asked needs it to be down."""

    code = "CAIMI-N007"
    why = "Two networks in one directory would share keys and ports."
    next_step = "Run `caimi devnet down` first, or choose another --directory."


class DevnetMissing(CaimiError):
    """There is no local network here."""

    code = "CAIMI-N008"
    why = "`caimi devnet up` has not been run in this directory, or it was taken down since."
    next_step = "Run `caimi devnet up`."


class ProcessFailed(CaimiError):
    """A process of the local network ended or did not become ready."""

    code = "CAIMI-N009"
    why = "See the end of its log above."
    next_step = (
        "Correct the cause and run `caimi devnet up` again: what it had started is ended already."
    )


class SignerShared(CaimiError):
    """Two of a node's attesting keys are the same."""

    code = "CAIMI-N010"
    why = "What is signed in ibc-go's format names no ledger, so a key may attest one only."
    next_step = "Make a key for each of ibc_attestors with `caimi keys new`."


class BodyTooSlow(CaimiError):
    """The body of a request does not arrive in its time."""

    code = "CAIMI-N020"
    why = "Who sends slowly would hold a place that others need."
    next_step = "Send the request again, over a faster line or in smaller pieces."


class AskedTooMuch(CaimiError):
    """Too many questions of one kind, or from one peer, wait already."""

    code = "CAIMI-N021"
    why = "Questions have lanes by kind and size, and a peer its share of each."
    next_step = "Ask again when your earlier questions are answered."


class LedgerTooSlow(CaimiError):
    """What the node's own ledger connection was asked for did not come in time."""

    code = "CAIMI-N022"
    why = "The node's RPC endpoint hangs, or the question is too large for it."
    next_step = "Ask another node, or ask again later; its operator sees it in /health."


class DescriptionInvalid(CaimiError):
    """What describes a node to others cannot be used."""

    code = "CAIMI-N023"
    why = "Its file is damaged or changed, or does not fit the others'."
    next_step = "Ask its operator for the file that `caimi node init` wrote, and compare both."


class NodeBegunOtherwise(CaimiError):
    """A node's directory holds something else than what would be written there."""

    code = "CAIMI-N024"
    why = "Nothing that is there is written over: it may be a running node's."
    next_step = "Give the options it was begun with, or name another directory."


class CommitteeNotReady(CaimiError):
    """Nodes of a committee to be are not as they must be to make a key."""

    code = "CAIMI-N025"
    why = "All members take part in making the key, so all are looked at before it begins."
    next_step = "Have each operator mend what is named, then run the same command again."


class MemberGone(CaimiError):
    """A member went away in the middle of a key generation."""

    code = "CAIMI-N026"
    why = "Its process ended, or the network to it is down. No key was lost: none is of use yet."
    next_step = "Once it is back, run the same command again: it goes on, or begins anew safely."


class AddressUnusable(CaimiError):
    """A service cannot listen where its settings say."""

    code = "CAIMI-N027"
    why = "Another process listens there, or the address is not this machine's."
    next_step = "End the other process (`ss -ltnp` shows it), or set another host or port."


class ProcessListDamaged(CaimiError):
    """The list of the local network's processes cannot be read."""

    code = "CAIMI-N030"
    why = "The file is damaged or was edited: nobody knows from it which processes are ours."
    next_step = (
        "Remove the file, end what is left of the network by hand (`ps ax` shows caimi.cli and "
        "anvil), then run `caimi devnet up`."
    )


class PortTaken(CaimiError):
    """A port that the local network is to listen on is taken."""

    code = "CAIMI-N034"
    why = "Another program listens there, or another local network."
    next_step = "Choose other ports with `caimi devnet up --ports N`."


class DevnetBusy(CaimiError):
    """Another program is just starting or ending this local network, or looks after it."""

    code = "CAIMI-N035"
    why = "Two at once would start everything twice."
    next_step = "Wait until the other one is done; `caimi devnet status` shows how far it is."


class DevnetFolderUnsafe(CaimiError):
    """The folder of the local network's files is not this user's alone."""

    code = "CAIMI-N036"
    why = "Who can write there says what is run, ended and removed here, and reads the keys."
    next_step = "Choose another --directory, or remove that folder."


class DemoFailed(CaimiError):
    """A step of the demonstration was not proved."""

    code = "CAIMI-D001"
    why = "What happened is not what CAIMI promises."
    next_step = "Please report it with the output of `caimi demo --json`."
