"""What `caimi run` does with an answer: it may have cost something, so no part of it is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from caimi.cli.output import jsonable, print_error, print_json, say
from caimi.errors.machine import OutputLost
from caimi.places import check_file_place, keep_result, save_elsewhere

if TYPE_CHECKING:
    from caimi.errors.base import CaimiError
    from caimi.inference.receipt import SignedReceipt
    from caimi.inference.tensors import Tensors


def check_places(output: Path | None, receipt: Path | None) -> None:
    """See to it that both can be written, before anybody is asked or paid.

    Raises:
        OutputUnusable, TensorsNotWritten: one of them cannot.
    """
    from caimi.inference.tensor_files import check_tensor_place

    if output is not None:
        check_tensor_place(output)
    if receipt is not None:
        check_file_place(receipt)


def keep_answer(
    outputs: Tensors,
    output: Path | None,
    receipt: tuple[Path, SignedReceipt] | None,
    *,
    as_json: bool,
) -> None:
    """Write, or else save elsewhere, an answer and its receipt; then print, and say what failed."""
    from caimi.inference.tensor_files import keep_tensors

    failed: list[CaimiError] = []
    if receipt is not None:
        place, signed = receipt
        failed += filter(None, [keep_result(place, signed.to_json().encode(), "The receipt")])
    lost = None if output is None else keep_tensors(output, outputs)
    failed += filter(None, [lost])
    if as_json or output is None:
        lists = {name: value.tolist() for name, value in outputs.items()}
        told = {"error": failed[0].as_dict()} if failed else {}
        try:
            print_json({"ok": not failed, "outputs": lists, **told})
        except OutputLost as lost_output:
            kept = json.dumps(jsonable(lists)).encode()
            why = f"The answer could not be printed ({lost_output.what.rstrip('.')})"
            failed.append(save_elsewhere(kept, ".json", why))
            as_json = False  # nothing that was printed told of the others
    elif lost is None:
        say("Wrote {}.", output)
    for error in failed:
        if not as_json:
            print_error(error, as_json=False)
    if failed:
        raise typer.Exit(1)
