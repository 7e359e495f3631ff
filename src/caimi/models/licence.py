"""SPDX licence expressions: whether a text has the form of one.

Follows SPDX 2.3, Annex D: identifiers and ``LicenseRef-`` names, joined by AND, OR and WITH, with
parentheses. Whether an identifier is on SPDX's list is not looked up: the list grows with time.
"""

from __future__ import annotations

import re
from typing import Final

from caimi.errors.models import ManifestMalformed

MAX_LICENCE_CHARACTERS: Final = 256

_TOKEN: Final = re.compile(r"\s*(\(|\)|[A-Za-z0-9.:+-]+)")
_NAME: Final = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9.-]*\+?|(?:DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-[A-Za-z0-9.-]+"
)
_WORDS: Final = frozenset({"AND", "OR", "WITH"})


def check_licence(expression: str) -> str:
    """Give `expression` back if it has the form of an SPDX licence expression.

    Raises:
        ManifestMalformed: it has not, or is over 256 characters.
    """
    if 0 < len(expression) <= MAX_LICENCE_CHARACTERS and _is_expression(expression):
        return expression
    raise ManifestMalformed(f"{expression[:80]!r} is no SPDX licence expression.")


def _is_expression(expression: str) -> bool:
    terms = _terms(expression)
    depth = 0
    expects_name = True
    after_with = False
    for term in terms:
        if term == "(" and expects_name and not after_with:
            depth += 1
        elif term == ")" and not expects_name and depth:
            depth -= 1
        elif term in _WORDS and not expects_name:
            expects_name, after_with = True, term == "WITH"
        elif expects_name and term not in _WORDS and _NAME.fullmatch(term):
            expects_name = after_with = False
        else:
            return False
    return bool(terms) and not expects_name and depth == 0


def _terms(expression: str) -> list[str]:
    terms = []
    position = 0
    while position < len(expression):
        found = _TOKEN.match(expression, position)
        if found is None:
            return []
        terms.append(found[1])
        position = found.end()
    return terms
