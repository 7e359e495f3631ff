"""A dealer's part: two polynomials, Pedersen's commitments to both, Feldman's to the first.

T. P. Pedersen, "Non-interactive and information-theoretic secure verifiable secret sharing",
CRYPTO '91; P. Feldman, "A practical scheme for non-interactive verifiable secret sharing", 1987.
"""

from __future__ import annotations

from collections.abc import Sequence

from caimi.custody.delivery import seal
from caimi.custody.dkg.ceremony import Ceremony
from caimi.custody.dkg.messages import Dealing, SharePair
from caimi.custody.group import SECOND_GENERATOR, Point, generator_times
from caimi.custody.polynomial import evaluate, evaluate_points, random_polynomial


class Dealer:
    """One member's secret polynomials, for one ceremony; never printed, never written down."""

    __slots__ = ("_blinding", "_secret")

    def __init__(self, threshold: int) -> None:
        self._secret = random_polynomial(threshold)
        self._blinding = random_polynomial(threshold)

    def pair_for(self, member: int) -> SharePair:
        """Give the share pair of a member."""
        return SharePair(evaluate(self._secret, member), evaluate(self._blinding, member))

    def deal(self, ceremony: Ceremony, dealer: int) -> Dealing:
        """Commit, and seal each member's pair to it."""
        commitments = tuple(
            generator_times(a) + SECOND_GENERATOR.times_secret(b)
            for a, b in zip(self._secret, self._blinding, strict=True)
        )
        sealed = tuple(
            seal(
                member.transport,
                self.pair_for(number).to_bytes(),
                pair_info(ceremony.digest, dealer, number),
            )
            for number, member in enumerate(ceremony.members, start=1)
        )
        return Dealing(commitments, sealed)

    def extract(self) -> tuple[Point, ...]:
        """Give Feldman's commitments to the secret polynomial."""
        return tuple(generator_times(a) for a in self._secret)


def pair_info(ceremony: bytes, dealer: int, member: int) -> bytes:
    """Bind a sealed pair to its ceremony, dealer and recipient."""
    return b"caimi/dkg-share/v1" + ceremony + bytes([dealer, member])


def fits_pedersen(pair: SharePair, commitments: Sequence[Point], member: int) -> bool:
    """Tell whether `pair` is what `commitments` promise `member`."""
    promised = evaluate_points(commitments, member)
    return generator_times(pair.share) + SECOND_GENERATOR.times_secret(pair.blinding) == promised


def fits_feldman(pair: SharePair, commitments: Sequence[Point], member: int) -> bool:
    """Tell whether the share in `pair` lies on the extracted polynomial."""
    return generator_times(pair.share) == evaluate_points(commitments, member)
