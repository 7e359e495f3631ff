"""What a transaction offers to pay (EIP-1559), and what a replacement must offer."""

from __future__ import annotations

from dataclasses import dataclass

from caimi.errors.ledgers import FeeAboveCap

GWEI = 10**9


@dataclass(frozen=True, slots=True)
class Fees:
    """Wei a unit of gas: `most` in all, `tip` of it to the block's builder."""

    most: int
    tip: int


@dataclass(frozen=True, slots=True)
class FeePolicy:
    """How much an account offers.

    `cap` bounds the fee per gas, `tip_cap` the tip in it, both in wei. `gas_margin` is added to an
    estimate in percent, because state may change before inclusion.
    """

    cap: int = 500 * GWEI
    tip_cap: int = 20 * GWEI
    gas_margin: int = 20

    def offer(self, base_fee: int, suggested_tip: int) -> Fees:
        """Offer enough for six full blocks of rising base fee, within the cap.

        Raises:
            FeeAboveCap: the present base fee and tip are above the cap already.
        """
        tip = min(suggested_tip, self.tip_cap)
        if base_fee + tip > self.cap:
            raise FeeAboveCap(
                f"The ledger asks {base_fee + tip} wei a gas; the cap is {self.cap} wei."
            )
        return Fees(min(2 * base_fee + tip, self.cap), tip)

    def replace(self, earlier: Fees, base_fee: int, suggested_tip: int) -> Fees:
        """Offer at least an eighth more than `earlier`, which nodes ask of a replacement.

        Raises:
            FeeAboveCap: that would be above the cap.
        """
        market = self.offer(base_fee, suggested_tip)
        most = max(_eighth_more(earlier.most), market.most)
        tip = max(_eighth_more(earlier.tip), market.tip)
        if most > self.cap:
            raise FeeAboveCap(
                f"Replacing the transaction takes {most} wei a gas; the cap is {self.cap} wei."
            )
        return Fees(most, min(tip, most))

    def gas(self, estimate: int) -> int:
        """Give the gas limit for an estimate."""
        return estimate + estimate * self.gas_margin // 100


def _eighth_more(fee: int) -> int:
    return -(-fee * 9 // 8)
