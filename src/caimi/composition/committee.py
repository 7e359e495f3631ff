"""The nodes of the committee that a configuration names."""

from __future__ import annotations

from contextlib import AsyncExitStack

from caimi.composition.trust import Trust
from caimi.config import Config
from caimi.services.endpoint import Endpoint


def reach_nodes(stack: AsyncExitStack, config: Config) -> dict[int, Endpoint]:
    """Make ready to ask a committee's nodes, by index, in their order; `stack` closes them.

    There are none without a committee.

    Raises:
        CertificateInvalid, CertificateExpired: what `config` names of TLS cannot be used.
    """
    trust, nodes = Trust(config), {}
    for custodian in config.committee.custodians if config.committee else ():
        endpoint = Endpoint(custodian.url, tls=trust.of(custodian.url, custodian.trust))
        nodes[custodian.index] = endpoint
        stack.push_async_callback(endpoint.aclose)
    return nodes
