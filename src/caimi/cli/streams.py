"""Standard output and standard error as commands use them: found anew at each write, never fatal.

What cannot be written to standard output is an error of its own (`OutputLost`): the user asked for
it. What cannot be written to standard error is dropped: a closed terminal must not end a purchase.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import IO, Any, Final

from caimi.errors.machine import OutputLost


class Stream:
    """As much of a text file as rich needs, over the stream that `sys` has under a name now."""

    def __init__(self, name: str, *, needed: bool) -> None:
        self._name = name
        self._needed = needed

    @property
    def encoding(self) -> str:
        """The encoding that is written; what it lacks is written as an escape."""
        return getattr(self._now(), "encoding", None) or "utf-8"

    def write(self, text: str) -> int:
        """Write text, characters that the encoding lacks escaped."""
        now = self._now()
        if now is None:
            self._lost("it is closed")
            return len(text)
        try:
            return now.write(text.encode(self.encoding, "backslashreplace").decode(self.encoding))
        except (OSError, ValueError) as error:  # ValueError: it was closed
            self._lost(error)
        return len(text)

    def flush(self) -> None:
        """Flush."""
        now = self._now()
        if now is not None:
            try:
                now.flush()
            except (OSError, ValueError) as error:
                self._lost(error)

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        with contextlib.suppress(OSError, ValueError):
            now = self._now()
            return now is not None and now.isatty()
        return False

    def fileno(self) -> int:
        """The descriptor; raises `OSError` where there is none."""
        now = self._now()
        if now is None:
            raise OSError(f"{self._name} is closed")
        return now.fileno()

    def _now(self) -> IO[str] | None:
        found: Any = getattr(sys, self._name)
        # While rich shows progress, it puts a proxy there that prints through this very stream.
        real: IO[str] | None = getattr(found, "rich_proxied_file", found)
        return real

    def _lost(self, why: object) -> None:
        # The interpreter flushes once more when it ends; what is left would fail there again.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            place, nowhere = self.fileno(), os.open(os.devnull, os.O_WRONLY)
            if nowhere != place:  # the place of one that was closed is the first free one
                os.dup2(nowhere, place)
                os.close(nowhere)
        if self._needed:
            said = why.strerror if isinstance(why, OSError) and why.strerror else why
            raise OutputLost(f"Standard output cannot be written: {said}.")


STDOUT: Final = Stream("stdout", needed=True)
STDERR: Final = Stream("stderr", needed=False)
