"""Guards of the contracts and services, each with the schedules that must notice when it is gone.

Removing one is a change of the source text that occurs exactly once, so that a guard that was
reworded is not taken for one that is detected.
"""

from __future__ import annotations

from dataclasses import dataclass

from faults.settings import Kind

_COMMITTEE = "contracts/evm/src/clients/CommitteeClient.sol"
_GATEWAY = "contracts/evm/src/gateway/Gateway.sol"
_PACKET_CHECKS = "contracts/evm/src/gateway/PacketChecks.sol"
_PACKET_APP = "contracts/evm/src/models/PacketApp.sol"
_WITNESSES = "src/caimi/messaging/witnesses.py"
_VALIDATOR = "src/caimi/messaging/validator.py"
_OPEN = "src/caimi/messaging/open_packets.py"
_NONCES = "src/caimi/ledgers/evm/transactions/nonces.py"
_RELAYER = "src/caimi/messaging/relayer.py"
_ATTESTATIONS = "src/caimi/messaging/attestations.py"


@dataclass(frozen=True, slots=True)
class Guard:
    """What is guarded, and how its source reads with and without the guard.

    `contract` is the artifact that is built again, empty for Python.
    """

    name: str
    path: str
    present: str
    absent: str
    contract: str = ""
    kind: Kind = "tolerated"


GUARDS = (
    Guard(
        "as many signatures as the threshold",
        _COMMITTEE,
        "position / SIGNATURE_LENGTH >= known.threshold,",
        "position / SIGNATURE_LENGTH >= 1,",
        "CommitteeClient",
    ),
    Guard(
        "each signature by the member it stands for",
        _COMMITTEE,
        "if (signer != member) _refuseSigner(members, signers, i, signer);",
        "if (signer == address(0)) _refuseSigner(members, signers, i, member);",
        "CommitteeClient",
    ),
    Guard(
        "the packet is in the signed tree",
        _COMMITTEE,
        "MerkleProof.multiProofVerify(proof.proof, proof.proofFlags, root, leaves), "
        "InvalidMerkleProof()",
        "MerkleProof.multiProofVerify(proof.proof, proof.proofFlags, root, leaves) || true, "
        "InvalidMerkleProof()",
        "CommitteeClient",
    ),
    Guard(
        "a packet is received once",
        _GATEWAY,
        "if (_commitments[key] != 0 || block.timestamp >= packet.timeoutTimestamp) {",
        "if (block.timestamp >= packet.timeoutTimestamp) {",
        "Gateway",
    ),
    Guard(
        "nothing is received after its time",
        _GATEWAY,
        "if (_commitments[key] != 0 || block.timestamp >= packet.timeoutTimestamp) {",
        "if (_commitments[key] != 0) {",
        "Gateway",
    ),
    Guard(
        "nothing times out before its time",
        _GATEWAY,
        "time >= packet.timeoutTimestamp, TimeoutNotReached",
        "time >= 0, TimeoutNotReached",
        "Gateway",
    ),
    Guard(
        "a packet travels its own route",
        _PACKET_CHECKS,
        "keccak256(bytes(packet.sourceClient)) == sourceHash && "
        "keccak256(bytes(packet.destClient)) == destHash,",
        "sourceHash != 0 && destHash != 0,",
        "Gateway",
    ),
    Guard(
        "only the gateway calls an application",
        _PACKET_APP,
        "require(msg.sender == address(gateway), OnlyGateway(msg.sender));",
        "",
        "ModelBridge",
    ),
    Guard(
        "a validator signs final blocks only",
        _WITNESSES,
        "    if height > final.height:\n",
        "    if height > final.height + 1_000:\n",
    ),
    Guard(
        "a validator looks before it says that nothing was received",
        _VALIDATOR,
        "                if present:\n",
        "                if present and not packets:\n",
    ),
    Guard(
        "a validator remembers what it signed",
        _VALIDATOR,
        "        await asyncio.to_thread(self._signed.remember, statement, block.hash, contents)\n",
        "",
        kind="beyond-finality",
    ),
    Guard(
        "a relayer forgets a packet only when its end is final",
        _OPEN,
        "return await at_final(self.final.height, lambda at: gateway.commitments(paths, at))",
        "return await gateway.commitments(paths)",
    ),
    Guard(
        "a relayer reads again where a node left out events",
        _RELAYER,
        "                each.read_again()\n",
        "                pass\n",
    ),
    Guard(
        "a relayer doubts what does not prove",
        _OPEN,
        "        if kept == expected and not untraceable:\n",
        "        if kept or not untraceable:\n",
    ),
    Guard(
        "an account keeps what a reorganisation may undo",
        _NONCES,
        "        done = latest - KEPT\n",
        "        done = latest\n",
    ),
    Guard(
        "a relayer believes no signature over something else",
        _ATTESTATIONS,
        "    if attestation.statement != expected:\n",
        "    if attestation.statement is None:\n",
    ),
)
