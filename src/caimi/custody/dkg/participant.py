"""One member of a distributed key generation, as a pure state machine.

R. Gennaro, S. Jarecki, H. Krawczyk, T. Rabin, "Secure Distributed Key Generation for Discrete-Log
Based Cryptosystems", Journal of Cryptology 20 (2007), section 4 (the protocol DKG): Pedersen's
sharing fixes who qualifies before anything about the key is known, and only then Feldman's
commitments extract the public key, so that no cheater can bias it.

The paper assumes a broadcast channel. Here a coordinator relays, or writes each round down on a
ledger (`Ceremony.broadcast`), and every message repeats digests of what its sender heard. A round
counts when `Ceremony.quorum` members, oneself among them, heard the same; others are left out of
it. A member that is out of step with the quorum stops with `Equivocation`. A share is usable only
once all members have confirmed one key: a coordinator with up to `Ceremony.faults` cheaters can
stop a ceremony, and neither steer it nor end it with two keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from coincurve import PrivateKey

from caimi.custody.delivery import RecipientKey
from caimi.custody.dkg.ceremony import Ceremony, Round, SignedMessage
from caimi.custody.dkg.confirming import check_confirmed
from caimi.custody.dkg.dealing import Dealer, fits_feldman, fits_pedersen, pair_info
from caimi.custody.dkg.hearing import EchoT, digests, gather, in_step
from caimi.custody.dkg.messages import (
    Complaints,
    Confirmation,
    Dealing,
    Extraction,
    Reveals,
    SharePair,
)
from caimi.custody.group import ORDER, Point, generator_times, total
from caimi.custody.keys import GroupKey, KeyShare
from caimi.custody.polynomial import evaluate_points, interpolate_coefficients
from caimi.errors.custody import (
    CeremonyFailed,
    CeremonyMisconfigured,
    MalformedEncoding,
    UndeliverableShare,
    WrongRound,
)


class Participant:
    """Member `index` of `ceremony`: `start`, then `advance` round by round, then `finish`.

    Each takes the messages that the coordinator relayed for the round in `awaits` (one's own may be
    among them) and gives the message to send. `ForgedMessage` and `Equivocation` leave the state as
    it was, so the round can be taken again with better messages; after `CeremonyFailed` a new
    ceremony is needed. `faults` names members that cheated or failed, with the first reason.
    """

    def __init__(self, ceremony: Ceremony, identity: PrivateKey, transport: RecipientKey) -> None:
        self.ceremony = ceremony
        self.index = ceremony.index_of(identity.public_key.format())
        if ceremony.members[self.index - 1].transport != transport.public_bytes:
            raise CeremonyMisconfigured(f"Member {self.index} is enrolled with another key.")
        self.faults: dict[int, str] = {}
        self.disqualified: set[int] = set()
        self._identity = identity
        self._transport = transport
        self._dealer = Dealer(ceremony.threshold)
        self._sent: SignedMessage | None = None
        self._heard: tuple[bytes, ...] = ()
        self._committed: dict[int, tuple[Point, ...]] = {}
        self._pairs: dict[int, SharePair] = {}
        self._complaints: dict[int, set[int]] = {}
        self._extracted: dict[int, tuple[Point, ...]] = {}
        self._exposed: set[int] = set()
        self._group: GroupKey | None = None

    def __repr__(self) -> str:
        return f"Participant(index={self.index}, awaits={self.awaits!r})"

    @property
    def awaits(self) -> Round | None:
        """Give the round whose messages are taken next; None before `start`."""
        return None if self._sent is None else self._sent.round

    @property
    def qualified(self) -> tuple[int, ...]:
        """Give the dealers whose secrets make up the key; final after the justifications."""
        return tuple(dealer for dealer in self._committed if dealer not in self.disqualified)

    def start(self) -> SignedMessage:
        """Give this member's dealing, or raise `WrongRound` the second time."""
        if self._sent is not None:
            raise WrongRound("This key generation has been started before.")
        return self._send(Round.DEALING, self._dealer.deal(self.ceremony, self.index).to_bytes())

    def advance(self, messages: Iterable[SignedMessage]) -> SignedMessage:
        """Take the messages of the round in `awaits`, and give this member's next message.

        Raises:
            ForgedMessage: a message is not signed by its sender for this ceremony and round.
            Equivocation: members were told different things; the error names suspects.
            CeremonyFailed: too few members are left.
            WrongRound: the ceremony has not started, or awaits the confirmations.
        """
        if self._sent is None or self._sent.round is Round.CONFIRMATION:
            raise WrongRound("This key generation does not await a round to advance from.")
        place = self._sent.round
        bodies = gather(self.ceremony, place, messages, self._sent)
        heard = digests(self.ceremony, bodies)
        match place:
            case Round.DEALING:
                self._take_dealings(bodies)
                body = Complaints(heard, self._unfit_dealers()).to_bytes()
            case Round.COMPLAINT:
                self._take_complaints(self._in_step(bodies, Complaints.from_bytes))
                body = Reveals(heard, self._justification()).to_bytes()
            case Round.JUSTIFICATION:
                self._take_justifications(self._in_step(bodies, Reveals.from_bytes))
                body = Extraction(heard, self._extraction()).to_bytes()
            case Round.EXTRACTION:
                self._take_extractions(self._in_step(bodies, Extraction.from_bytes))
                body = Reveals(heard, self._unextracted()).to_bytes()
            case Round.EXTRACTION_COMPLAINT:
                self._take_extraction_complaints(self._in_step(bodies, Reveals.from_bytes))
                body = Reveals(heard, {d: self._pairs[d] for d in self._exposed}).to_bytes()
            case Round.RECONSTRUCTION:
                self._take_reconstructions(self._in_step(bodies, Reveals.from_bytes))
                body = Confirmation(heard, self._make_group()).to_bytes()
        self._heard = heard
        return self._send(Round(place + 1), body)

    def finish(self, messages: Iterable[SignedMessage]) -> KeyShare:
        """Take the confirmations of all members and give this member's key share.

        Raises:
            ForgedMessage, NotConfirmed, Equivocation: see `check_confirmed`.
            WrongRound: an earlier round is awaited.
        """
        share = self.pending()
        assert self._sent is not None
        check_confirmed(self.ceremony, self._sent, messages)
        return share

    def pending(self) -> KeyShare:
        """Give the key share that is of use once all members have confirmed its key.

        Raises:
            WrongRound: an earlier round is awaited.
        """
        if self._group is None:  # it is made where the confirmation is sent
            raise WrongRound("This key generation does not await the confirmations.")
        secret = sum(self._pairs[dealer].share for dealer in self.qualified) % ORDER
        return KeyShare(self.index, secret, self._group)

    def _take_dealings(self, bodies: dict[int, bytes]) -> None:
        for dealer in range(1, self.ceremony.total + 1):
            dealing = self._parse_dealing(bodies.get(dealer))
            if dealing is None:
                self._disqualify(dealer, "gave no well-formed dealing")
                continue
            self._committed[dealer] = dealing.commitments
            pair = self._open_pair(dealer, dealing.sealed[self.index - 1])
            if pair is not None and fits_pedersen(pair, dealing.commitments, self.index):
                self._pairs[dealer] = pair

    def _parse_dealing(self, body: bytes | None) -> Dealing | None:
        if body is None:
            return None
        try:
            dealing = Dealing.from_bytes(body)
        except MalformedEncoding:
            return None
        shape = (len(dealing.commitments), len(dealing.sealed))
        return dealing if shape == (self.ceremony.threshold, self.ceremony.total) else None

    def _open_pair(self, dealer: int, sealed: bytes) -> SharePair | None:
        info = pair_info(self.ceremony.digest, dealer, self.index)
        try:
            return SharePair.from_bytes(self._transport.open(sealed, info))
        except (UndeliverableShare, MalformedEncoding):
            return None

    def _unfit_dealers(self) -> tuple[int, ...]:
        return tuple(dealer for dealer in self._committed if dealer not in self._pairs)

    def _take_complaints(self, heard: dict[int, Complaints]) -> None:
        for member, complaints in heard.items():
            for dealer in complaints.dealers:
                if dealer in self._committed and dealer != member:
                    self._complaints.setdefault(dealer, set()).add(member)
        for dealer, complainers in self._complaints.items():
            # At most `faults` members cheat: more complaints than that cannot all be false.
            if len(complainers) > self.ceremony.faults:
                self._disqualify(dealer, f"drew complaints from members {sorted(complainers)}")

    def _justification(self) -> dict[int, SharePair]:
        if self.index in self.disqualified:
            return {}
        complainers = self._complaints.get(self.index, set())
        return {member: self._dealer.pair_for(member) for member in complainers}

    def _take_justifications(self, heard: dict[int, Reveals]) -> None:
        for dealer, complainers in self._complaints.items():
            answer = heard[dealer].pairs if dealer in heard else {}
            for member in sorted(complainers):
                pair = answer.get(member)
                if pair is None or not fits_pedersen(pair, self._committed[dealer], member):
                    self._disqualify(dealer, f"did not justify its share for member {member}")
                    break
                if member == self.index:
                    self._pairs[dealer] = pair
        if len(self.qualified) < self.ceremony.quorum:
            raise CeremonyFailed(
                f"{len(self.qualified)} dealers qualify where {self.ceremony.quorum} must; "
                f"faults: {self.faults}."
            )

    def _extraction(self) -> tuple[Point, ...]:
        return self._dealer.extract() if self.index in self.qualified else ()

    def _take_extractions(self, heard: dict[int, Extraction]) -> None:
        for dealer in self.qualified:
            commitments = heard[dealer].commitments if dealer in heard else ()
            if len(commitments) == self.ceremony.threshold:
                self._extracted[dealer] = commitments
            else:
                self._expose(dealer, "gave no well-formed extraction")

    def _unextracted(self) -> dict[int, SharePair]:
        return {
            dealer: self._pairs[dealer]
            for dealer, commitments in self._extracted.items()
            if not fits_feldman(self._pairs[dealer], commitments, self.index)
        }

    def _take_extraction_complaints(self, heard: dict[int, Reveals]) -> None:
        for member, complaint in heard.items():
            for dealer, pair in complaint.pairs.items():
                if (
                    dealer in self._extracted
                    and fits_pedersen(pair, self._committed[dealer], member)
                    and not fits_feldman(pair, self._extracted[dealer], member)
                ):
                    self._expose(dealer, f"extracted another secret than it dealt to {member}")

    def _take_reconstructions(self, heard: dict[int, Reveals]) -> None:
        for dealer in sorted(self._exposed):
            pooled = {
                member: reveals.pairs[dealer].share
                for member, reveals in heard.items()
                if dealer in reveals.pairs
                and fits_pedersen(reveals.pairs[dealer], self._committed[dealer], member)
            }
            if len(pooled) < self.ceremony.threshold:
                raise CeremonyFailed(
                    f"The secret of dealer {dealer} cannot be pooled: {len(pooled)} good shares "
                    f"where {self.ceremony.threshold} are needed."
                )
            chosen = dict(list(pooled.items())[: self.ceremony.threshold])
            coefficients = interpolate_coefficients(chosen)
            self._extracted[dealer] = tuple(generator_times(a) for a in coefficients)

    def _make_group(self) -> bytes:
        sums = [
            total(self._extracted[dealer][power] for dealer in self.qualified)
            for power in range(self.ceremony.threshold)
        ]
        keys = tuple(evaluate_points(sums, member) for member in range(1, self.ceremony.total + 1))
        self._group = GroupKey(sums[0], self.ceremony.threshold, self.ceremony.total, keys)
        return self._group.digest

    def _in_step(
        self, bodies: dict[int, bytes], parse: Callable[[bytes], EchoT]
    ) -> dict[int, EchoT]:
        kept, faults = in_step(self.ceremony, bodies, parse, self._heard)
        for member, fault in faults.items():
            self.faults.setdefault(member, fault)
        return kept

    def _disqualify(self, dealer: int, reason: str) -> None:
        self.disqualified.add(dealer)
        self.faults.setdefault(dealer, reason)

    def _expose(self, dealer: int, reason: str) -> None:
        self._exposed.add(dealer)
        self.faults.setdefault(dealer, reason)

    def _send(self, place: Round, body: bytes) -> SignedMessage:
        self._sent = SignedMessage.sign(
            self.ceremony.digest, place, self.index, body, self._identity
        )
        return self._sent
