"""One decoder with its valid inputs, and the law that it keeps whatever it is given."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache, cached_property
from random import Random
from time import thread_time
from typing import Any

from caimi.errors import CaimiError
from caimi.errors.inference import CompilerFault
from fuzz.mutation import damaged_bytes, damaged_document, damaged_text

SLOWEST = 2.0
"""Seconds of processor time that one input may cost; the slowest derives a key with scrypt."""


class Law(Enum):
    """What is true of an input that is taken, beside that it was taken."""

    ONE_SPELLING = "encoding the value gives the input again"
    SETTLES = "what the value is encoded to decodes to a value of the same encoding"
    ANSWERS = "it answers"


@dataclass(frozen=True)
class Decoder:
    """`decode` takes bytes, text or a parsed JSON document, as `valid` gives it.

    `covers` names the functions of `caimi` that it goes through. It raises a `CaimiError` or one of
    `refuses`, the exceptions that its docstring names; anything else is a breach. `share` is its
    part of a campaign, relative to the others'.
    """

    name: str
    covers: tuple[str, ...]
    valid: Callable[[], Sequence[Any]]
    decode: Callable[[Any], Any]
    encode: Callable[[Any], Any] | None = None
    law: Law = Law.ANSWERS
    refuses: tuple[type[Exception], ...] = ()
    share: float = 1.0

    @cached_property
    def corpus(self) -> Sequence[Any]:
        """The valid inputs, made once a process."""
        return self.valid()

    def damaged(self, draw: Random) -> Any:
        """Give one input."""
        first = self.corpus[0]
        if isinstance(first, bytes):
            return damaged_bytes(draw, self.corpus)
        if isinstance(first, Document):
            return damaged_document(draw, self.corpus)
        return damaged_text(draw, self.corpus)

    def undamaged(self, valid: Any) -> Any:
        """Give a valid input as `decode` takes it."""
        return json.loads(valid) if isinstance(valid, Document) else valid

    def breach(self, given: Any) -> str | None:
        """Say how the decoder breaks its law on `given`; None when it keeps it."""
        began = thread_time()
        try:
            value = self.decode(given)
        except CompilerFault as error:
            return f"a fault of ours: {error.what[:300]}"
        except (CaimiError, *self.refuses):
            return self._slow(began)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            # A panic in Rust is no Exception.
            return f"raised {type(error).__name__}: {str(error)[:200]}"
        if self.law is Law.ONE_SPELLING and self.encode is not None:
            again = self.encode(value)
            if again != given:
                return f"took another spelling of {again!r:.400}"
        elif self.law is Law.SETTLES and self.encode is not None:
            again = self.encode(value)
            if self.encode(self.decode(again)) != again:
                return f"read its own {again!r:.400} as another value"
        return self._slow(began)

    def _slow(self, began: float) -> str | None:
        took = thread_time() - began
        return f"took {took:.1f} s" if took > SLOWEST else None


class Document(str):
    """A valid input that is damaged as a JSON document, before it is text."""

    __slots__ = ()


def drive(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that waits for nothing, in a loop that it may ask for the time."""
    return _loop().run_until_complete(work)


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()
