"""Whether a ledger has CAIMI's contracts as a deployment leaves them: code, links and roles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from caimi.errors.ledgers import LedgerBehind, TransactionReverted
from caimi.hashing import keccak256
from caimi.ibc.applications import APPLICATIONS
from caimi.ledgers.evm.abi.interface import encode
from caimi.ledgers.evm.administration.deploying import EXIT_DELAY, KINDS, ROLES
from caimi.ledgers.evm.administration.roles import ADMIN_ROLE, read_roles
from caimi.ledgers.evm.administration.shipped_code import shipped_code
from caimi.ledgers.evm.artifacts import artifact
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.rpc.chain import Read
from caimi.ledgers.port import Exactly

_LINKS = {
    "gateway": ("authority",),
    "registry": ("authority",),
    "bridge": ("gateway", "registry", "authority"),
    "market": ("gateway", "registry", "authority"),
    "messages": ("gateway",),
    "fees": ("gateway",),
    "exit": ("gateway", "bridge", "authority"),
}
"""Which contract knows which others, each by a function of the other's name."""
_DOMAIN = keccak256(
    b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
_EXIT_NAME, _EXIT_VERSION = b"CAIMI emergency exit", b"1"


async def audit(ledger: EvmLedger) -> list[str]:
    """Say, in words, what is not as `deploying.deploy` leaves it; nothing when all is.

    Who administers and who guards is not judged: that changes when a ledger is handed over.

    Raises:
        LedgerUnavailable, WrongLedger: the node is down, or serves another ledger.
    """
    await ledger.chain.verify()
    wrong = await _wrong_code(ledger)
    if wrong:  # what other code says of its links is worth nothing
        return wrong
    return [*await _wrong_links(ledger), *await _wrong_roles(ledger)]


async def is_gone(ledger: EvmLedger) -> bool:
    """Whether no contract of a deployment has code: neither now nor at a final height after it.

    Raises:
        LedgerBehind: there is none, and what is final is from before the deployment.
        LedgerUnavailable, WrongLedger: the node is down, or serves another ledger.
    """
    chain, began = ledger.chain, ledger.deployment.deployed_at
    await chain.verify()
    contracts = [ledger.deployment.contracts[name] for name in KINDS]
    if any(await chain.codes(contracts)):
        return False
    final = (await chain.finalized()).height
    if final < began:
        raise LedgerBehind(
            f"{chain.rpc.name} shows nothing of CAIMI on {ledger.id}, which was put there in block "
            f"{began}; what it has for final ends with block {final}.",
            why="It lags, or the ledger was started anew: that cannot be told apart from here.",
            next_step="Run the same command again in a while; or, if you know that the ledger was "
            "started anew, add --anew.",
        )
    return not any(await chain.codes(contracts, Exactly(final)))


async def _wrong_code(ledger: EvmLedger) -> list[str]:
    contracts = ledger.deployment.contracts
    codes = await ledger.chain.codes([contracts[name] for name in KINDS])
    wrong = []
    for (name, kind), code in zip(KINDS.items(), codes, strict=True):
        at = f"{name} at 0x{contracts[name].hex()}"
        words = shipped_code(kind).immutables(code)
        if not code:
            wrong.append(f"there is no code of {at}")
        elif words is None:
            wrong.append(f"the code of {at} is not this version's {kind}")
        elif not words <= _expected(name, contracts, ledger.chain.number):
            wrong.append(f"{at} was constructed with other values")
    return wrong


def _expected(name: str, contracts: Mapping[str, bytes], number: int) -> set[bytes]:
    """Give the words that a contract's immutables may be."""
    words = {_word(contracts[other]) for other in _LINKS.get(name, ())}
    for each in APPLICATIONS:
        if each.contract == name:
            words |= {keccak256(each.port.encode()), keccak256(each.version.encode())}
    if name == "exit":
        here, hashes = contracts["exit"], (keccak256(_EXIT_NAME), keccak256(_EXIT_VERSION))
        types = ("bytes32", "bytes32", "bytes32", "uint256", "address")
        domain = keccak256(encode(types, (_DOMAIN, *hashes, number, here)))
        words |= {*hashes, domain, _word(here), _number(number), _number(EXIT_DELAY)}
        words |= {_short(_EXIT_NAME), _short(_EXIT_VERSION)}
    return words


async def _wrong_links(ledger: EvmLedger) -> list[str]:
    contracts = ledger.deployment.contracts
    wanted = [(name, other) for name, others in _LINKS.items() for other in others]
    reads = [
        Read(contracts[name], artifact(KINDS[name]).interface[other]) for name, other in wanted
    ]
    router = artifact("Gateway").interface["getApplication"]
    reads += [Read(contracts["gateway"], router, (each.port,)) for each in APPLICATIONS]
    said = [
        *(f"{name} knows another {other}" for name, other in wanted),
        *(f"port {each.port} is not the {each.contract}'s" for each in APPLICATIONS),
    ]
    right = [
        *(contracts[other] for _, other in wanted),
        *(contracts[each.contract] for each in APPLICATIONS),
    ]
    answers = await ledger.chain.try_reads(reads)
    return [
        what
        for what, wants, answer in zip(said, right, answers, strict=True)
        if isinstance(answer, TransactionReverted) or answer[0] != wants
    ]


async def _wrong_roles(ledger: EvmLedger) -> list[str]:
    contracts = ledger.deployment.contracts
    roles = await read_roles(ledger)
    wrong = [] if roles.of(ADMIN_ROLE) else ["nobody administers it"]
    allowed = {(entry.target, entry.selector): entry.role for entry in roles.functions}
    wrong += [
        f"role {role} ({ROLES[role][0]}) may not call {method} of the {name}"
        for role, name, method in _assigned()
        if allowed.get((contracts[name], _selector(name, method))) != role
    ]
    wrong += [
        f"the {name} has not its role"
        for role, name in ((role, said) for role, (said, _) in ROLES.items() if said in contracts)
        if contracts[name] not in roles.of(role)
    ]
    return wrong + roles.ways_around(contracts)


def _assigned() -> Iterator[tuple[int, str, str]]:
    for role, (_, allowed) in ROLES.items():
        for name, methods in allowed.items():
            yield from ((role, name, method) for method in methods)


def _selector(name: str, method: str) -> bytes:
    return artifact(KINDS[name]).interface[method].selector


def _word(address: bytes) -> bytes:
    return address.rjust(32, b"\0")


def _number(value: int) -> bytes:
    return value.to_bytes(32, "big")


def _short(text: bytes) -> bytes:
    """Write a string of at most 31 bytes as OpenZeppelin's ShortString."""
    return text.ljust(31, b"\0") + bytes([len(text)])
