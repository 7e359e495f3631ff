"""What two peers of a real Fabric channel signed, believed with P256VERIFY and without it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from eth_abi.abi import encode
from ledger_site import COIN
from subprocess_anvil import anvil_process

from caimi.errors.ledgers import ProofRefused
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.abi.calls import contract_creation
from caimi.ledgers.evm.abi.quantities import hexed, quantity
from caimi.ledgers.evm.administration.deploying import deploy
from caimi.ledgers.evm.artifacts import artifact
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.local.anvil import AnvilOptions
from caimi.ledgers.evm.rpc.connect import http_chain
from caimi.ledgers.evm.rpc.contract import Contract
from caimi.ledgers.evm.rpc.finality import Depth
from caimi.loopback import free_port

pytestmark = pytest.mark.anvil
RECORDED = json.loads(
    (Path(__file__).parents[2] / "contracts" / "vectors" / "fabric_reads.json").read_text()
)
CONSTRUCTOR = ("string", "string", "string", "uint16", "bytes32[2][]", "bytes", "address")
WORK = {"cancun": range(500_000, 900_000), "osaka": range(100_000, 250_000)}
"""Gas of a call that verifies two signatures over three reads."""


def read(text: str) -> bytes:
    return bytes.fromhex(text[2:])


@pytest.mark.parametrize("hardfork", WORK)
def test_recorded_reads_are_believed_with_and_without_the_precompile(hardfork: str) -> None:
    rich = LocalSigner.generate()
    options = AnvilOptions(31_555, free_port(), hardfork=hardfork)

    async def work() -> None:
        chain = http_chain("eip155:31555", options.url, Depth(0))
        ledger = EvmLedger(chain, await deploy(chain, rich))
        made, parts = artifact("EndorsedReadsClient"), list(map(read, RECORDED["keys"]))
        keys = [parts[:2], parts[2:]]
        about = (RECORDED["ledger"], RECORDED["channel"], RECORDED["chaincode"], 2, keys)
        authority = ledger.deployment.contracts["authority"]
        code = made.bytecode + encode(CONSTRUCTOR, (*about, b"\0\1", authority))
        created = await ledger.submit(contract_creation(ledger.id, "", code), rich)
        client = Contract(chain, created.effect, made.interface)

        sent = RECORDED["sent"]
        given = [list(map(read, sent[name])) for name in ("keys", "values")]
        proof = read(sent["proof"])
        found = await client.read("verifyMembership", *given, proof)
        assert found == (sent["height"], sent["time"])
        data = made.interface["verifyMembership"].encode(*given, proof)
        call = {"to": hexed(created.effect), "data": hexed(data)}
        assert quantity(await chain.rpc.ask("eth_estimateGas", call)) in WORK[hardfork]
        spoilt = bytearray(proof)
        spoilt[proof.index(parts[0]) + 64] ^= 1  # r of the first signature
        with pytest.raises(ProofRefused, match="InvalidSignature"):
            await client.read("verifyMembership", *given, bytes(spoilt))
        missing = RECORDED["missing"]
        found = await client.read(
            "verifyAbsence", list(map(read, missing["keys"])), read(missing["proof"])
        )
        assert found == (missing["height"], missing["time"])
        await ledger.aclose()

    with anvil_process(options, {rich.account: 1_000 * COIN}):
        asyncio.run(work())
