"""The IBC v2 router of one ledger: ICS-26 with the commitments of ICS-24, as ibc-go does it.

- A packet is received at most once, and only before its timeout.
- A packet sent ends once, and its applications are told in the same call.
- All payloads of a packet take effect, or none.
- Nothing but registered applications and light clients is called, so that no message can reach
  anything else.
- A pause stops sending and receiving on one route, never the end of a packet that was sent.
"""

from __future__ import annotations

from caimi.contracts.applications import Applications
from caimi.contracts.authority import Authority
from caimi.contracts.commitments import Commitments
from caimi.contracts.ending import PacketEnding
from caimi.contracts.light_client import LedgerVerifiers
from caimi.contracts.receiving import PacketReceiving
from caimi.contracts.routes import Routes
from caimi.contracts.sending import PacketSending
from caimi.contracts.site import Site


class PacketGateway:
    """The gateway of one ledger: its parts under one roof."""

    def __init__(self, site: Site, authority: Authority, verifiers: LedgerVerifiers) -> None:
        self.routes = Routes(site.ledger, authority, verifiers)
        self.applications = Applications(authority)
        self.commitments = Commitments()
        sending = PacketSending(self.routes, self.applications)
        receiving = PacketReceiving(site, self.routes, self.applications)
        ending = PacketEnding(site, self.routes, self.applications)
        self.send = sending.send
        self.receive = receiving.receive
        self.write_acknowledgement = receiving.write_acknowledgement
        self.acknowledge = ending.acknowledge
        self.time_out = ending.time_out
