"""What the code generator says of a model, in the model's own names and without its own advice.

The generator sees numbers in place of names (`graph.py`), and advises options of its own command.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_MOST: Final = 300
_ADVICE: Final = re.compile(r"\s*\bHint: .*", re.DOTALL)
_KIND: Final = re.compile(r"\bop_type=(\w+)")
_NUMBER: Final = re.compile(r"(?<![\w.])(t[0-9]+)(?![\w.])")
_OPEN: Final = re.compile(r"requires static shapes|dynamic dims|dynamic dimensions|_dim_[0-9]+")


def explained(said: str, names: Mapping[str, str]) -> str:
    """Give a refusal of the generator as a sentence; `names` gives the model's names by number."""
    kind = _KIND.search(said)
    tensors = [names[found[1]] for found in _NUMBER.finditer(said) if found[1] in names]
    about = f"{kind[1]}: " if kind else ""
    if _OPEN.search(said):
        of = f"{tensors[0][:80]!r} has " if tensors else ""
        return f"{about}{of}a size that only a run shows."
    plain = said.split(" (while ", 1)[0].split(" (during ", 1)[0]
    plain = _ADVICE.sub("", plain)
    plain = _NUMBER.sub(lambda found: names.get(found[1], found[1])[:80], plain).strip()
    if kind and plain.startswith(kind[1]):
        about = ""
    return f"{about}{plain[:_MOST].rstrip('. ')}."
