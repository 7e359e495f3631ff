"""The root of CAIMI's one exception tree."""

from __future__ import annotations

from typing import ClassVar


class CaimiError(Exception):
    """Something a user can act on: what happened, why, and what to do next.

    Subclasses set a stable `code` (``CAIMI-<area letter><three digits>``), and default `why` and
    `next_step` texts; the raise site says `what` happened, with the values involved, never a
    secret. `docs/errors.md` lists every subclass, and a test keeps the two equal.
    """

    code: ClassVar[str] = "CAIMI-X000"
    why: str = ""
    next_step: str = ""

    def __init__(self, what: str, *, why: str | None = None, next_step: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        if why is not None:
            self.why = why
        if next_step is not None:
            self.next_step = next_step

    def __str__(self) -> str:
        """One line: code and what happened."""
        return f"{self.code}: {self.what}"

    def as_dict(self) -> dict[str, str]:
        """Give the machine-readable form printed by ``--json`` and sent by the HTTP API."""
        return {
            "code": self.code,
            "error": type(self).__name__,
            "what": self.what,
            "why": self.why,
            "next": self.next_step,
        }


def said_of(error: Exception) -> str:
    """Give what the operating system says of an error, or else what the error itself says."""
    return getattr(error, "strerror", None) or str(error)
