"""Members of a key generation and a coordinator, any of which can be told to lie."""

import secrets
from collections.abc import Callable

from coincurve import PrivateKey

from caimi.custody.delivery import RecipientKey
from caimi.custody.dkg import Broadcast, Ceremony, Enrolment, Participant, Round, SignedMessage

Lie = Callable[["World", dict[int, SignedMessage]], None]


class World:
    """`lies` maps a round to a function that changes the messages sent in it, by sender.

    A member whose message is deleted has crashed. `relay` may change what each member is shown.
    """

    def __init__(self, threshold: int, total: int, *, broadcast: bool = True) -> None:
        self.identities = [PrivateKey() for _ in range(total)]
        self.session = secrets.token_bytes(32)
        self.transports = [RecipientKey.generate() for _ in range(total)]
        self.ceremony = Ceremony(
            self.session,
            threshold,
            tuple(
                Enrolment.sign(self.session, identity, transport.public_bytes)
                for identity, transport in zip(self.identities, self.transports, strict=True)
            ),
            Broadcast("eip155:1", bytes(20), 0, 0) if broadcast else None,
        )
        self.members = {
            index: Participant(self.ceremony, identity, transport)
            for index, (identity, transport) in enumerate(
                zip(self.identities, self.transports, strict=True), start=1
            )
        }

    def say(self, messages: dict[int, SignedMessage], sender: int, body: bytes) -> None:
        """Replace what `sender` says by `body`, signed by it, so that it believes it said so."""
        place = self.members[sender].awaits
        messages[sender] = SignedMessage.sign(
            self.ceremony.digest, place, sender, body, self.identities[sender - 1]
        )
        self.members[sender]._sent = messages[sender]

    def run(self, lies: dict[Round, Lie] | None = None, relay=None):
        """Give the shares that members which did not crash have come to, by index.

        They are of use once all members have confirmed: `finish` does that, and raises otherwise.
        """
        lies = lies or {}
        messages = {index: member.start() for index, member in self.members.items()}
        while True:
            place = next(iter(messages.values())).round
            if place in lies:
                lies[place](self, messages)
            self.members = {i: m for i, m in self.members.items() if i in messages}
            shown = {
                index: relay(place, index, dict(messages)) if relay else messages
                for index in self.members
            }
            if place is Round.CONFIRMATION:
                self.confirmations = shown
                return {i: m.pending() for i, m in self.members.items()}
            messages = {i: m.advance(shown[i].values()) for i, m in self.members.items()}

    def finish(self):
        """Give the shares of the members, once each has been shown the confirmations."""
        shown = self.confirmations
        return {i: m.finish(shown[i].values()) for i, m in self.members.items()}
