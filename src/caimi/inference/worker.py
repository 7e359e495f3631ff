"""The worker's role: run licensed models for others, and sign what was run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol
from weakref import WeakKeyDictionary

from caimi.errors.inference import ModelNotRunnable, WorkerBusy, WrongInput
from caimi.inference.batch import ReceiptWriter
from caimi.inference.batching import BatchLimits, row_count, run_together
from caimi.inference.engine import Engine, Session
from caimi.inference.prices import FREE, NOTHING, Offer, PriceList, Shapes, Usage
from caimi.inference.receipt import Receipt, SignedReceipt
from caimi.inference.request_queue import Outcome, RequestQueue
from caimi.inference.runners import Runners
from caimi.inference.tensors import Array, Tensors, hash_tensors
from caimi.ledgers.port import Wallet
from caimi.uri import ModelUri

MAX_AT_ONCE: Final = 64
ALONE: Final = BatchLimits()


@dataclass(frozen=True, slots=True, weakref_slot=True)
class ServedModel:
    """A verified, opened version that a worker can run."""

    uri: ModelUri
    manifest: bytes
    session: Session
    rows_apart: bool = False
    """Whether requests may be run together: see `caimi.inference.batching.rows_stay_apart`."""
    meter: UsageMeter | None = None
    """What tells the usage of requests; needed where prices depend on it."""


class UsageMeter(Protocol):
    """Tells what requests of one model use: `caimi.inference.meter.Meter`."""

    async def usage(self, shapes: Shapes) -> Usage:
        """Tell what a request with inputs of these shapes uses."""


class Models(Protocol):
    """Where a worker gets the versions it serves."""

    async def serve(self, uri: ModelUri) -> ServedModel:
        """Give the version that `uri` names, by number.

        Raises:
            ModelNotServed: the worker has no licence of it.
        """


@dataclass(frozen=True, slots=True)
class _Asked:
    served: ServedModel
    inputs: Tensors
    nonce: bytes
    price: int


@dataclass(frozen=True, slots=True)
class Answer:
    """A worker's outputs with its receipt."""

    outputs: Mapping[str, Array]
    receipt: SignedReceipt


def _shapes(inputs: Tensors) -> dict[str, tuple[int, ...]]:
    return {name: value.shape for name, value in inputs.items()}


def _rows_of(asked: _Asked) -> int:
    return row_count(asked.inputs)


class Worker:
    """Runs models with `engine` and signs receipts with `wallet`; `prices` says what answers cost.

    Receipts are in `receipts` durably before an answer leaves. `clock` gives Unix seconds. At most
    `at_once` requests are under way, and `threads` of them run, one a processor by default; those
    of a model whose rows stay apart run together within `batches`.
    """

    def __init__(
        self,
        engine: Engine,
        models: Models,
        wallet: Wallet,
        receipts: ReceiptWriter,
        clock: Callable[[], float],
        *,
        prices: PriceList = FREE,
        at_once: int = MAX_AT_ONCE,
        threads: int | None = None,
        batches: BatchLimits = ALONE,
    ) -> None:
        self._engine = engine
        self._models = models
        self._wallet = wallet
        self._receipts = receipts
        self._clock = clock
        self._prices = prices
        self._places = at_once
        self._batches = batches
        self._alone: Runners[Answer] = Runners(threads)
        self._together: Runners[list[Outcome[Answer]]] = Runners(threads)
        self._lines: WeakKeyDictionary[ServedModel, RequestQueue[_Asked, Answer]] = (
            WeakKeyDictionary()
        )

    @property
    def account(self) -> str:
        """The account that it signs as (CAIP-10)."""
        return self._wallet.name

    async def open(self, uri: ModelUri) -> ServedModel:
        """Give a version opened, without running it.

        Raises:
            WorkerBusy: too many requests are under way.
            ModelNotServed: the worker has no licence of it.
        """
        with self._place():
            return await self._models.serve(uri)

    async def infer(
        self, uri: ModelUri, inputs: Tensors, nonce: bytes, *, outputs: Collection[str] = ()
    ) -> Answer:
        """Run a version on `inputs`; `nonce` is the requester's, so the receipt is for it alone.

        `outputs` are names that the version must give; the answer has all that it gives.

        Raises:
            WorkerBusy: too many requests are under way.
            ModelNotServed, WrongInput, RunFailed: as the model and the engine say.
            ReceiptStoreDamaged: the receipt could not be written down, so there is no answer.
        """
        with self._place():
            served = await self._models.serve(uri)
            unknown = sorted(set(outputs) - {spec.name for spec in served.session.outputs})
            if unknown:
                given = ", ".join(map(str, served.session.outputs))
                raise WrongInput(f"The model has no output {unknown[0]!r}; it gives {given}.")
            price = await self._price(served, _shapes(inputs))
            answer = await self._answer(_Asked(served, inputs, nonce, price))
            await self._receipts.add(answer.receipt)
            return answer

    async def offer(self, uri: ModelUri, shapes: Shapes) -> Offer:
        """Tell what an answer for inputs of these shapes costs: the receipt will say the same.

        Raises:
            WorkerBusy: too many requests are under way.
            ModelNotServed: the worker has no licence of it.
            WrongInput, ModelNotRunnable: as the meter says, where the price depends on the request.
        """
        with self._place():
            served = await self._models.serve(uri)
            return Offer(await self._price(served, shapes), self._prices)

    async def _price(self, served: ServedModel, shapes: Shapes) -> int:
        if self._prices.is_constant:
            return self._prices.price(NOTHING)
        if served.meter is None:
            raise ModelNotRunnable("This worker has no meter for the version, so no price.")
        return self._prices.price(await served.meter.usage(shapes))

    @contextmanager
    def _place(self) -> Iterator[None]:
        if self._places <= 0:
            raise WorkerBusy("The worker is at its limit of requests at a time.")
        self._places -= 1
        try:
            yield
        finally:
            self._places += 1

    async def _answer(self, asked: _Asked) -> Answer:
        """Run and sign, without writing the receipt down."""
        if self._batches.rows == 1 or not asked.served.rows_apart:
            return await self._alone.run(
                lambda: self._sign(asked, asked.served.session.run(asked.inputs))
            )
        line = self._lines.get(asked.served)
        if line is None:
            rows, seconds = self._batches.rows, self._batches.wait_seconds
            line = RequestQueue(self._together, self._answer_all, _rows_of, rows, seconds)
            self._lines[asked.served] = line
        return await line.ask(asked)

    def _answer_all(self, asked: Sequence[_Asked]) -> list[Answer | Exception]:
        """Run requests of one model together, and sign for each; blocking."""
        session = asked[0].served.session
        found = run_together(session, [one.inputs for one in asked], self._batches)
        return [
            outputs if isinstance(outputs, Exception) else self._sign(one, outputs)
            for one, outputs in zip(asked, found, strict=True)
        ]

    def _sign(self, asked: _Asked, outputs: dict[str, Array]) -> Answer:
        uri = asked.served.uri
        receipt = Receipt(
            ledger=uri.ledger,
            model_id=uri.model_id,
            version=uri.selector or "",
            manifest=asked.served.manifest,
            input_hash=hash_tensors(asked.inputs),
            output_hash=hash_tensors(outputs),
            engine=self._engine.id,
            answer=self._engine.answer,
            price=asked.price,
            time=int(self._clock()),
            worker=self._wallet.name,
            nonce=asked.nonce,
        )
        return Answer(outputs, receipt.sign(self._wallet))
