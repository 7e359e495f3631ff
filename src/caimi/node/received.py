"""What is received of a request's body: counted as it comes, and in bounded time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from caimi.errors.base import CaimiError
from caimi.errors.node import BodyTooSlow, RequestInvalid

GRACE_SECONDS: Final = 10.0
BYTES_A_SECOND: Final = 64 << 10
"""A body must arrive in so many seconds, and a second more for so many bytes of it."""


class BoundBodies:
    """Lets through requests whose bodies have a declared length of at most `most` bytes.

    A body of a length that is not declared, or declared in two ways, is refused before it is read:
    which way counts is read differently by what stands in front of a service.
    """

    def __init__(
        self,
        app: ASGIApp,
        most: int,
        refuse: Callable[[Request, CaimiError], Response],
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        self._app = app
        self._most = most
        self._refuse = refuse
        self._grace = grace_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        try:
            declared = _declared(request, self._most)
        except RequestInvalid as error:
            await self._refuse(request, error)(scope, receive, send)
            return
        await self._app(scope, _Body(receive, declared, self._grace).receive, send)


def _declared(request: Request, most: int) -> int:
    if "transfer-encoding" in request.headers:
        raise RequestInvalid("A body of undeclared bytes is not accepted (Transfer-Encoding).")
    lengths = request.headers.getlist("content-length")
    if not lengths and request.method in ("GET", "HEAD"):
        return 0
    said = lengths[0] if len(lengths) == 1 else ""
    # A number is at most so long: of a longer one only its making into a number would be slow.
    if not (said.isascii() and said.isdigit() and len(said) <= 20 and int(said) <= most):
        what = said[:40] if lengths else "undeclared"
        raise RequestInvalid(f"A body of {what or 'two lengths of'} bytes is not accepted.")
    return int(said)


class _Body:
    def __init__(self, receive: Receive, declared: int, grace: float) -> None:
        self._receive = receive
        self._declared = declared
        self._grace = grace
        self._received = 0
        self._began: float | None = None
        self._whole = False

    async def receive(self) -> Message:
        """Give the next part.

        Raises:
            RequestInvalid: it is more than was declared.
            BodyTooSlow: it does not come in time.
        """
        if self._whole:
            return await self._receive()
        now = asyncio.get_running_loop().time()
        if self._began is None:
            self._began = now
        seconds = self._grace + self._received / BYTES_A_SECOND
        try:
            async with asyncio.timeout_at(self._began + seconds):
                message = await self._receive()
        except TimeoutError as error:
            raise BodyTooSlow(
                f"Of a body of {self._declared} bytes {self._received} came in {seconds:.0f} "
                "seconds."
            ) from error
        if message["type"] == "http.request":
            self._received += len(message.get("body", b""))
            self._whole = not message.get("more_body", False)
            if self._received > self._declared:
                raise RequestInvalid(
                    f"The body has more than the {self._declared} bytes that were declared."
                )
        return message
