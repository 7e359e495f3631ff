"""A name for each request, so that all lines of a log that it causes are found together."""

from __future__ import annotations

import secrets

from starlette.types import ASGIApp, Receive, Scope, Send

from caimi.logs import about


def new_name() -> str:
    """Draw a name, 16 hex digits."""
    return secrets.token_hex(8)


class NamedRequests:
    """Middleware that says under which name a request is being answered (`caimi.logs`)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with about(request=new_name()):
            await self._app(scope, receive, send)
