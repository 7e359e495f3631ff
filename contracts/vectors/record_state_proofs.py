"""Records state_proofs.json: what a gateway's anvil answers to eth_getProof.

Run: .venv/bin/python contracts/vectors/record_state_proofs.py

The gateway is ours, deployed there; its commitments are put into its storage, and 40 others beside
them so that the trie has branches. Another run gives another file (times, hashes), equally good.
mainnet.json is not written by this: it is Ethereum's block 21,925,176 and the proof of one slot of
the deposit contract in it, as nodes answered, published in a16z/helios (tests/testdata/rpc).
"""

import asyncio
import json
from hashlib import sha256
from pathlib import Path

from caimi.ibc.path import Path as IbcPath
from caimi.keystore import LocalSigner
from caimi.ledgers.client_proofs import StateProof, commitment_slot
from caimi.ledgers.evm.abi.quantities import hexed
from caimi.ledgers.evm.administration.deploying import deploy
from caimi.ledgers.evm.local.anvil import AnvilOptions, running_anvil
from caimi.ledgers.evm.proofs.state_proofs import read_state_proof
from caimi.ledgers.evm.rpc.connect import http_chain
from caimi.ledgers.evm.rpc.finality import Depth
from caimi.loopback import free_port

CLIENT = "caimi-1-0"
RECEIVED = 9
TRUSTED = b"what the inner client takes"


async def record() -> dict[str, object]:
    """Deploy, fill and ask."""
    rich = LocalSigner.generate()
    options = AnvilOptions(31399, free_port())
    async with running_anvil(options, {rich.account: 10**24}):
        chain = http_chain("eip155:31399", options.url, Depth(0))
        gateway = (await deploy(chain, rich)).contracts["gateway"]
        sent = {n: sha256(b"commitment %d" % n).digest() for n in range(1, 4)}
        values = {IbcPath.commitment(CLIENT, n).key: value for n, value in sent.items()}
        values[IbcPath.acknowledgement(CLIENT, RECEIVED).key] = sha256(b"acknowledgement").digest()
        values |= {sha256(b"other %d" % n).digest(): b"\x01" * 32 for n in range(40)}
        for key, value in values.items():
            slot = hexed(commitment_slot(key))
            await chain.rpc.ask("anvil_setStorageAt", hexed(gateway), slot, hexed(value))
        await chain.rpc.ask("evm_mine")
        height = await chain.head_height()
        block = await chain.block(height)

        keys = [IbcPath.commitment(CLIENT, n).key for n in sent]
        keys += [IbcPath.acknowledgement(CLIENT, n).key for n in (1, 2, 3, RECEIVED)]
        slots = [commitment_slot(key) for key in keys]
        proof = await read_state_proof(chain.rpc, gateway, slots, height)
        stranger = await read_state_proof(chain.rpc, bytes(19) + b"\x99", slots[:1], height)
        await chain.rpc.aclose()
    nodes = [[hexed(node) for node in slot] for slot in proof.slots]
    there = StateProof(proof.header, proof.account, proof.slots[:3])
    missing = StateProof(proof.header, proof.account, proof.slots[3:6])
    return {
        "gateway": hexed(gateway),
        "height": height,
        "time": block.time,
        "hash": hexed(proof.block_hash),
        "header": hexed(proof.header),
        "account": [hexed(node) for node in proof.account],
        "client": CLIENT,
        "values": [hexed(value) for value in sent.values()],
        "sent": [{"proof": each} for each in nodes[:3]],
        "missing": [{"proof": each} for each in nodes[3:6]],
        "received": {"sequence": RECEIVED, "proof": nodes[6]},
        "trusted": hexed(TRUSTED),
        "membership": hexed(there.membership(TRUSTED)),
        "absence": hexed(missing.absence(TRUSTED, CLIENT, (1, 2, 3))),
        "noAccount": [hexed(node) for node in stranger.account],
    }


if __name__ == "__main__":
    document = asyncio.run(record())
    target = Path(__file__).parent / "state_proofs.json"
    target.write_text(json.dumps(document, indent=1) + "\n")
