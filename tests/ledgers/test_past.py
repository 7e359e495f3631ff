"""Reading the past: nodes that prune say so in many words, and ledgers may keep none."""

from __future__ import annotations

import pytest

from caimi.errors.ledgers import HistoryGone, LedgerBehind
from caimi.ledgers.evm.rpc.chain import Chain
from caimi.ledgers.evm.rpc.client import Rpc, RpcRefusal
from caimi.ledgers.evm.rpc.finality import Depth
from caimi.ledgers.past import at_final
from caimi.ledgers.port import FINAL, At, Exactly, LedgerId


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        # geth, Erigon, Nethermind, Reth, Besu; and one that is behind, which is something else
        ("missing trie node 1b2c (path ) state 0x1b2c is not available", HistoryGone),
        ("historical state 1b2c is not available", HistoryGone),
        ("state at block #4 is pruned", HistoryGone),
        ("Block #5 has been pruned: no state available for block 5", HistoryGone),
        ("World state unavailable", HistoryGone),
        ("header not found", LedgerBehind),
    ],
)
def test_a_node_that_has_pruned_a_state_is_told_from_one_that_lags(
    said: str, kind: type[Exception]
) -> None:
    rpc = Rpc.__new__(Rpc)
    rpc.name = "node"
    chain = Chain(rpc, LedgerId("eip155:7"), Depth(0))
    assert isinstance(chain.refused("Reading", RpcRefusal(-32000, said, None)), kind)


@pytest.mark.parametrize("keeps", [True, False])
async def test_the_past_is_read_where_it_is_kept_and_the_final_state_where_not(
    keeps: bool,
) -> None:
    asked: list[At] = []

    async def read(at: At) -> str:
        asked.append(at)
        if not keeps and isinstance(at, Exactly):
            raise HistoryGone("The state of block 5 is gone.")
        return "read"

    assert await at_final(5, read) == "read"
    assert asked == ([Exactly(5)] if keeps else [Exactly(5), FINAL])


async def test_no_other_refusal_leads_to_a_later_state() -> None:
    async def read(at: At) -> str:
        raise LedgerBehind("No block 5 yet.")

    with pytest.raises(LedgerBehind):
        await at_final(5, read)
