"""The nodes of the committee that a configuration names."""

from __future__ import annotations

from contextlib import AsyncExitStack

from caimi.config import CommitteeSection
from caimi.services.endpoint import Endpoint


def reach_nodes(stack: AsyncExitStack, committee: CommitteeSection | None) -> dict[int, Endpoint]:
    """Make ready to ask a committee's nodes, by index, in their order; `stack` closes them.

    There are none without a committee.
    """
    nodes = {}
    for custodian in committee.custodians if committee else ():
        nodes[custodian.index] = endpoint = Endpoint(custodian.url)
        stack.push_async_callback(endpoint.aclose)
    return nodes
