"""How commands show what they are about to do on ledgers, and ask whether they may."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from caimi.cli.options import somebody_there
from caimi.cli.output import facts, out, print_json, shown
from caimi.errors.deploying import NotAgreed
from caimi.errors.ledgers import InsufficientFunds

if TYPE_CHECKING:
    from caimi.ledgers.port import LedgerPlan, Money

PlanOption = Annotated[bool, typer.Option("--plan", help="Show what would be done, and end.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]


@dataclass(frozen=True, slots=True)
class PlanConsent:
    """What a user wants of a command that changes things, and has agreed to beforehand.

    `plan`: only to see what would be done; `yes`: to have it done without being asked; `as_json`:
    all that is said as one document, so that nobody is asked; `anew`: to leave what was begun.
    """

    plan: bool = False
    yes: bool = False
    as_json: bool = False
    anew: bool = False

    def ends_with_plan(self, **planned: object) -> bool:
        """Tell whether the plan is all that is wanted; where that is JSON, it is printed."""
        if self.plan and self.as_json:
            print_json({"ok": True, **planned})
        return self.plan

    def ask(self) -> None:
        """Ask whether a plan that was shown may be carried out.

        Raises:
            NotAgreed: it may not, or there is nobody to ask.
        """
        if self.yes:
            return
        if self.as_json or not somebody_there():
            raise NotAgreed(
                "Nobody agreed to the plan: there is nobody to ask.",
                next_step="Add --yes, or --plan.",
            )
        if not typer.confirm("Go on?"):
            raise NotAgreed("The plan was not agreed to; nothing was done.")


def show_plan(plan: LedgerPlan) -> None:
    """Print a plan: each step, what all of it costs, and who pays."""
    out.print(shown(f"On {plan.ledger}", "bold"))
    for number, step in enumerate(plan.steps, start=1):
        work = f", about {step.work} gas" if step.work and not step.begun else ""
        done = " (signed before; it is finished)" if step.begun else work
        out.print(shown(f"  {number:>2}  {step.what}{done}"), soft_wrap=True)
    costs = {"by": str(plan.account)}
    for name, amount in (
        ("costs about", plan.likely),
        ("at most", plan.most),
        ("it has", plan.held),
    ):
        if amount is not None:
            costs[name] = _written(amount)
    facts("Cost", costs)


def plan_document(plan: LedgerPlan) -> dict[str, object]:
    """Give a plan for JSON; amounts are in the smallest coins."""
    amounts = {"likely": plan.likely, "most": plan.most, "held": plan.held}
    return {
        "ledger": plan.ledger,
        "account": str(plan.account),
        "steps": plan.steps,
        **{name: None if amount is None else amount.units for name, amount in amounts.items()},
    }


def check_funds(plan: LedgerPlan) -> None:
    """Check that the account can pay for a plan, whatever it costs.

    Raises:
        InsufficientFunds: it may not be able to; nothing is begun.
    """
    if plan.missing is None or plan.most is None or plan.held is None:
        return
    raise InsufficientFunds(
        f"What is to be done on {plan.ledger} can cost {_written(plan.most)}, and {plan.account} "
        f"has {_written(plan.held)}: {_written(plan.missing)} are missing. Nothing was sent."
    )


def _written(amount: Money) -> str:
    from caimi.client.amounts import format_amount

    return f"{format_amount(amount)} {amount.asset.symbol}".rstrip()
