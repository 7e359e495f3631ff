"""Asking a node: bounded retries of what was interrupted, and answers checked for shape."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from caimi.errors.ledgers import (
    LedgerAnswerInvalid,
    LedgerRefused,
    LedgerSilent,
    LedgerUnavailable,
)
from caimi.ledgers.evm.rpc.http import HttpInterrupted, HttpRefused
from caimi.ledgers.evm.rpc.provider import Json, RpcProvider

T = TypeVar("T")

Request = tuple[str, list[Json]]
"""A JSON-RPC method and its parameters."""

_BATCH = 100
_MAX_MESSAGE = 400


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often an interrupted request is repeated; delays double from `first` seconds.

    `within` bounds all of it, in seconds: whoever waits is told then, however the node hangs.
    """

    attempts: int = 5
    first: float = 0.2
    longest: float = 3.0
    within: float = 30.0


class RpcRefusal(Exception):
    """The node's JSON-RPC error; `data` is a revert's output, when there is any."""

    def __init__(self, code: int, message: str, data: bytes | None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


class Rpc:
    """JSON-RPC over any `RpcProvider`; `name` says which node in errors.

    Every request is safe to repeat: reads are, and a signed transaction takes effect once.
    """

    def __init__(
        self, provider: RpcProvider, name: str, retries: RetryPolicy | None = None
    ) -> None:
        self.provider = provider
        self.name = name
        self._retries = retries or RetryPolicy()

    async def ask(self, method: str, *params: Json) -> Json:
        """Give the result of one request.

        Raises:
            RpcRefusal: the node answers with an error.
            LedgerUnavailable: it could not be reached, however often it was tried.
            LedgerSilent: it did not answer within the time that all attempts have together.
            LedgerAnswerInvalid: the answer is not JSON-RPC.
        """
        answer = await self._insist(
            lambda: self.provider.make_request(method, list(params)), method
        )
        return self._result(answer, method)

    async def gather(self, requests: Sequence[Request]) -> list[Json]:
        """Give the results of many requests, in as few round trips as batches of 100 need.

        An error of one request stands in its place as an `RpcRefusal`.
        """
        results: list[Json] = []
        for start in range(0, len(requests), _BATCH):
            part = [(m, p) for m, p in requests[start : start + _BATCH]]
            if len(part) == 1:
                method, params = part[0]
                try:
                    results.append(await self.ask(method, *params))
                except RpcRefusal as refusal:
                    results.append(refusal)
                continue
            answers = await self._insist(
                lambda part=part: self.provider.make_batch_request(part),  # type: ignore[misc]
                part[0][0],
            )
            if not isinstance(answers, list):
                self._result(answers, part[0][0])
                raise LedgerAnswerInvalid(f"{self.name} answered a batch with one result.")
            for (method, _), answer in zip(part, answers, strict=True):
                try:
                    results.append(self._result(answer, method))
                except RpcRefusal as refusal:
                    results.append(refusal)
        return results

    async def all(self, requests: Sequence[Request]) -> list[Json]:
        """Give the results of many requests; the first error is raised."""
        results = await self.gather(requests)
        for result in results:
            if isinstance(result, RpcRefusal):
                raise result
        return results

    async def aclose(self) -> None:
        """Close the connection."""
        await self.provider.disconnect()

    async def _insist(self, send: Callable[[], Awaitable[T]], method: str) -> T:
        try:
            async with asyncio.timeout(self._retries.within) as limit:
                return await self._try(send, method)
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise LedgerSilent(
                f"{self.name} gave no answer to {method} within {self._retries.within:g} s."
            ) from error

    async def _try(self, send: Callable[[], Awaitable[T]], method: str) -> T:
        delay = self._retries.first
        for attempt in range(1, self._retries.attempts + 1):
            try:
                return await send()
            except HttpInterrupted as error:
                if attempt == self._retries.attempts:
                    raise LedgerUnavailable(
                        f"{self.name} did not answer {method} in {attempt} attempts: {error}."
                    ) from error
            except HttpRefused as error:
                raise LedgerRefused(f"{self.name} refuses {method}: {error}.") from error
            await asyncio.sleep(delay * random.uniform(0.75, 1.25))  # noqa: S311 - spreads retries
            delay = min(delay * 2, self._retries.longest)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _result(self, answer: Json, method: str) -> Json:
        if isinstance(answer, dict):
            error = answer.get("error")
            if isinstance(error, dict):
                raise _refusal(error)
            if "result" in answer and error is None:
                return answer["result"]
        raise LedgerAnswerInvalid(f"{self.name} did not answer {method} in JSON-RPC.")


def _refusal(error: dict[str, Json]) -> RpcRefusal:
    code = error.get("code")
    data = error.get("data")
    if isinstance(data, dict):  # some nodes wrap the output
        data = data.get("data")
    output: bytes | None = None
    if isinstance(data, str) and data.startswith("0x"):
        try:
            output = bytes.fromhex(data[2:])
        except ValueError:
            output = None
    return RpcRefusal(
        code if isinstance(code, int) else 0, str(error.get("message", ""))[:_MAX_MESSAGE], output
    )
