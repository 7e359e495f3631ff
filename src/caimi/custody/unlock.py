"""The consumer's side: gather shares from the custodians until enough are good, and open.

A share counts when its custodian signed it for this request, its proof holds, and the release that
comes with it is the custodian's and of this request. What any of them did otherwise is named.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from caimi.custody.answer import Asked, SignedShare
from caimi.custody.delivery import RecipientKey, delivery_info
from caimi.custody.evidence import WrongShareEvidence
from caimi.custody.key_release import SignedKeyRelease
from caimi.custody.keys import GroupKey
from caimi.custody.request import SignedShareRequest
from caimi.custody.response import ShareResponse
from caimi.custody.tdh2 import (
    Ciphertext,
    DecryptionShare,
    open_with,
    verify_ciphertext,
    verify_share,
)
from caimi.errors.base import CaimiError
from caimi.errors.custody import (
    CustodianUnreachable,
    FalseRelease,
    InvalidKeyMaterial,
    LabelMismatch,
    MalformedEncoding,
    NotEnoughShares,
    RefusedByCustodian,
    UndeliverableShare,
    UnsignedAnswer,
    WrongShare,
)


class CustodianClient(Protocol):
    """A way to one custodian."""

    @property
    def index(self) -> int:
        """The custodian's place in the group, from 1."""

    @property
    def account(self) -> bytes:
        """The account (20 bytes) of its signing key, which the consumer knows from elsewhere."""

    async def share(self, request: SignedShareRequest) -> ShareResponse:
        """Ask for its share.

        Raises:
            CustodianUnreachable: no answer came (`OSError` and `TimeoutError` count as this too).
            RefusedByCustodian, or any other `CaimiError`: it refused, and the error says why.
            MalformedEncoding: it answered nonsense.
        """


class Status(Enum):
    """How asking one custodian ended."""

    SHARED = "shared"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    CORRUPTED = "corrupted"
    NOT_NEEDED = "not needed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Custodian `index`'s part in an unlock; `detail` is its error's text, or empty.

    `release` is what it signed to have released, when it shared; `evidence` shows to others that it
    signed a wrong share, when it did.
    """

    index: int
    status: Status
    detail: str = ""
    release: SignedKeyRelease | None = None
    evidence: WrongShareEvidence | None = None

    def __str__(self) -> str:
        return f"custodian {self.index}: {self.status.value}" + (
            f" ({self.detail})" if self.detail else ""
        )


@dataclass(frozen=True, slots=True)
class UnlockResult:
    """The opened secret, and how each custodian did, by index."""

    secret: bytes = field(repr=False)
    outcomes: tuple[Outcome, ...]

    def custodians(self, status: Status) -> tuple[int, ...]:
        """Give the custodians that ended with `status`."""
        return tuple(outcome.index for outcome in self.outcomes if outcome.status is status)


async def unlock(
    ciphertext: Ciphertext,
    signed: SignedShareRequest,
    recipient: RecipientKey,
    custodians: Sequence[CustodianClient],
    group: GroupKey,
    *,
    timeout_seconds: float = 10.0,
) -> UnlockResult:
    """Ask all custodians at once, stop when the threshold of verified shares is in, and open.

    Raises:
        InvalidCiphertext: it is malformed or sealed to another group; nobody is asked then.
        LabelMismatch: it is not what the request asks for.
        InvalidKeyMaterial: two clients, or one outside the group, claim an index.
        NotEnoughShares: with each custodian's outcome, also as `outcomes` by index, and `evidence`
            of wrong shares that were signed.
    """
    verify_ciphertext(ciphertext, group.public_key)
    if ciphertext.to_bytes() != signed.request.ciphertext or (
        ciphertext.label != signed.request.label
    ):
        raise LabelMismatch("The request asks for another sealed key than the one to open.")
    _check_indices(custodians, group)

    asking = _Asking(ciphertext, signed, recipient, group, timeout_seconds)
    shares: list[DecryptionShare] = []
    outcomes = {client.index: Outcome(client.index, Status.NOT_NEEDED) for client in custodians}
    tasks = [asyncio.create_task(asking.ask(client)) for client in custodians]
    pending = set(tasks)
    try:
        while pending and len(shares) < group.threshold:
            finished, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in finished:
                share, outcome = task.result()
                outcomes[outcome.index] = outcome
                if share is not None:
                    shares.append(share)
    finally:
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)

    listed = tuple(outcomes[index] for index in sorted(outcomes))
    if len(shares) < group.threshold:
        raise NotEnoughShares(
            f"{len(shares)} of the {group.threshold} shares needed were had: "
            + "; ".join(str(outcome) for outcome in listed)
            + ".",
            wrong=tuple(o.index for o in listed if o.status is Status.CORRUPTED),
            outcomes={outcome.index: str(outcome) for outcome in listed},
            evidence={o.index: o.evidence.to_json() for o in listed if o.evidence is not None},
        )
    return UnlockResult(open_with(ciphertext, shares, group), listed)


@dataclass(frozen=True, slots=True)
class _Asking:
    """One unlock's fixed parts, which each custodian's answer is judged by."""

    ciphertext: Ciphertext
    signed: SignedShareRequest
    recipient: RecipientKey
    group: GroupKey
    timeout_seconds: float

    async def ask(self, client: CustodianClient) -> tuple[DecryptionShare | None, Outcome]:
        """Ask one custodian; whatever it does becomes an outcome."""
        index = client.index
        try:
            async with asyncio.timeout(self.timeout_seconds):
                response = await client.share(self.signed)
            return self._judge(response, client)
        except (
            WrongShare,
            UnsignedAnswer,
            FalseRelease,
            MalformedEncoding,
            UndeliverableShare,
        ) as error:
            return None, Outcome(index, Status.CORRUPTED, str(error))
        except TimeoutError:
            detail = f"no answer within {self.timeout_seconds:g} s"
            return None, Outcome(index, Status.UNREACHABLE, detail)
        except (CustodianUnreachable, OSError) as error:
            return None, Outcome(index, Status.UNREACHABLE, str(error))
        except CaimiError as error:
            return None, Outcome(index, Status.REFUSED, str(error))

    def _judge(
        self, response: ShareResponse, client: CustodianClient
    ) -> tuple[DecryptionShare | None, Outcome]:
        """Check an answer; a wrong share that was signed is an outcome with its evidence."""
        index, request = client.index, self.signed.request
        answer = self._open(response, index)
        asked = Asked(request.digest, self.ciphertext, self.group.verification_key(index))
        answer.check_signed(asked, client.account)
        try:
            verify_share(self.ciphertext, answer.share, self.group)
        except WrongShare as error:
            evidence = WrongShareEvidence(asked, answer)
            return None, Outcome(index, Status.CORRUPTED, str(error), evidence=evidence)
        response.release.check_signed(client.account)
        response.release.check_answers(request, index, self.group)
        return answer.share, Outcome(index, Status.SHARED, release=response.release)

    def _open(self, response: ShareResponse, index: int) -> SignedShare:
        request = self.signed.request
        info = delivery_info(self.ciphertext.label, request.consumer, index, request.nonce)
        answer = SignedShare.from_bytes(self.recipient.open(response.sealed, info))
        if response.index != index or answer.share.index != index:
            raise WrongShare(f"Custodian {index} sent a share of custodian {answer.share.index}.")
        return answer


def _check_indices(custodians: Sequence[CustodianClient], group: GroupKey) -> None:
    indices = [client.index for client in custodians]
    for index in indices:
        group.verification_key(index)
    if len(set(indices)) != len(indices):
        raise InvalidKeyMaterial(f"Custodians are named twice: {sorted(indices)}.")


def refused(index: int, error: dict[str, str]) -> RefusedByCustodian:
    """Rebuild, from `CaimiError.as_dict()` of a custodian's reply, the error that it refused with.

    The texts are the custodian's and are cut to 300 characters each.
    """
    text = {key: str(error.get(key, ""))[:300] for key in ("code", "what", "why", "next")}
    return RefusedByCustodian(
        f"Custodian {index} refused: {text['code']}: {text['what']}",
        why=text["why"] or None,
        next_step=text["next"] or None,
    )
