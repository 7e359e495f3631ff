"""The ranges of seeds that were played without a wrong answer, in a page for people."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from onnx_fuzz.play import Played

PAGE: Final = Path(__file__).parents[2] / "docs" / "engines-fuzz.md"
_ROW: Final = re.compile(r"^\| (\d+) to (\d+) \|", re.MULTILINE)


def next_seed(page: str) -> int:
    """Give the first seed after every range of the page."""
    return max((int(last) for _, last in _ROW.findall(page)), default=-1) + 1


def row(whole: Sequence[Played]) -> str:
    """Give the page's line for batches in the order of their seeds."""
    numbers = (
        sum(played.cases for played in whole),
        sum(played.agreed.total() for played in whole),
        sum(len(played.split) for played in whole),
        sum(played.refused.total() for played in whole),
        sum(len(played.wrong) + len(played.faults) for played in whole),
    )
    told = " | ".join(f"{number:,}" for number in numbers)
    return f"| {whole[0].seed} to {whole[-1].seed} | {told} |\n"


def is_clean(whole: Sequence[Played]) -> bool:
    """Whether nothing was wrong and no code of ours failed."""
    return not any(played.wrong or played.faults for played in whole)
