"""A remote server of the protocol as an engine: it runs the model, and nothing it says is believed
before it fits the model's signature.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from caimi.errors.base import CaimiError
from caimi.errors.inference import (
    ModelNotRunnable,
    RemoteAnswerInvalid,
    RemoteModelDiffers,
    RemoteRefused,
    UnreadableTensors,
)
from caimi.errors.models import ManifestMalformed
from caimi.inference.oip.datatypes import datatype_of, dtype_of
from caimi.inference.oip.messages import InferAnswer, InferRequest, TensorInfo
from caimi.inference.oip.transports import MAX_ANSWER_BYTES, SECONDS, Transport, open_transport
from caimi.inference.tensors import Array, Tensors, check_tensors, dtype_name, fits
from caimi.models.files import walk
from caimi.models.onnx_file import check_onnx
from caimi.models.tensor import UNKNOWN, Tensor


class RemoteSession:
    """A model that a remote server runs (port `Session`)."""

    def __init__(
        self,
        transport: Transport,
        model: str,
        version: str,
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
    ) -> None:
        self._transport = transport
        self._model = model
        self._version = version
        self._inputs = tuple(inputs)
        self._outputs = tuple(outputs)

    @property
    def inputs(self) -> Sequence[Tensor]:
        """What it takes."""
        return self._inputs

    @property
    def outputs(self) -> Sequence[Tensor]:
        """What it gives."""
        return self._outputs

    def run(self, inputs: Tensors) -> dict[str, Array]:
        """Have the model run.

        Raises:
            WrongInput: an input does not fit the signature.
            RemoteUnreachable: no whole answer came in time.
            RemoteRefused: the server refuses, or the model fails there.
            RemoteAnswerInvalid: the answer is none to this request, or none of this model.
        """
        checked = check_tensors(inputs, self._inputs)
        request = InferRequest(
            self._model,
            self._version,
            checked,
            id=secrets.token_hex(8),
            outputs=dict.fromkeys(spec.name for spec in self._outputs),
        )
        answer = self._transport.infer(request)
        if (answer.id, answer.model) != (request.id, request.model):
            raise RemoteAnswerInvalid(
                f"The server answered request {answer.id[:40]!r} of {answer.model[:80]!r}."
            )
        return self._checked(answer, checked)

    def _checked(self, answer: InferAnswer, inputs: Tensors) -> dict[str, Array]:
        names = [spec.name for spec in self._outputs]
        if set(answer.outputs) != set(names):
            found = ", ".join(sorted(answer.outputs))[:200] or "none"
            raise RemoteAnswerInvalid(
                f"The server gave the outputs {found}; the model gives {', '.join(names)}."
            )
        sizes: dict[str, int] = {}
        for spec in self._inputs:
            if spec.shape is not None:
                fits(inputs[spec.name].shape, spec.shape, sizes)
        for spec in self._outputs:
            value = answer.outputs[spec.name]
            if dtype_name(value) != spec.dtype or (
                spec.shape is not None and not fits(value.shape, spec.shape, sizes)
            ):
                raise RemoteAnswerInvalid(
                    f"The server gave {spec.name!r} as {dtype_name(value)} {list(value.shape)}; "
                    f"the model gives {spec} for these inputs."
                )
        return {name: answer.outputs[name] for name in names}


class RemoteEngine:
    """A model of a remote server, at an ``http(s)://`` or ``grpc(s)://`` URL, by its name there.

    Construction raises `UsageError`. What the server runs the model on is its own affair, so `id`
    says only where it is.
    """

    def __init__(
        self,
        url: str,
        model: str,
        version: str = "",
        *,
        seconds: float = SECONDS,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
    ) -> None:
        self._transport = open_transport(url, seconds=seconds, max_answer_bytes=max_answer_bytes)
        self._model = model
        self._version = version
        parts = urlsplit(url)
        plain = f"oip/2/{parts.scheme}/{parts.hostname}:{parts.port or ''}".encode()
        self.id = plain.decode("ascii", "replace").replace("\ufffd", "?")[:128]
        self.answer = ""

    def load(self, model: Path) -> RemoteSession:
        """Take an ONNX file's signature, and the server's model as the one that runs it.

        Raises:
            ModelNotRunnable: the file is no ONNX model, or needs data outside its directory.
            RemoteModelDiffers: the server has no such model, or one of another signature.
            RemoteUnreachable, RemoteAnswerInvalid: the server gave no answer, or none that is one.
        """
        try:
            beside = {file.path: file for file in walk(model.parent)[0]}
            if model.name not in beside:
                raise ModelNotRunnable(f"There is no file {model.name}.")
            found = check_onnx(beside[model.name], beside)
        except ModelNotRunnable:
            raise
        except CaimiError as error:
            raise ModelNotRunnable(f"{model.name}: {error.what}") from error
        return self.open(found.inputs, found.outputs)

    def open(
        self, inputs: Sequence[Tensor] | None = None, outputs: Sequence[Tensor] | None = None
    ) -> RemoteSession:
        """Take the server's model, of this signature where it is known; raises as `load`."""
        try:
            said = self._transport.model(self._model, self._version)
        except RemoteRefused as error:
            raise RemoteModelDiffers(error.what) from error
        if said.name != self._model:
            raise RemoteAnswerInvalid(f"The server described {said.name[:80]!r}.")
        try:
            return RemoteSession(
                self._transport,
                self._model,
                self._version,
                _signature("input", said.inputs, inputs),
                _signature("output", said.outputs, outputs),
            )
        except (UnreadableTensors, ManifestMalformed) as error:
            raise RemoteModelDiffers(error.what) from error

    def close(self) -> None:
        """Close the connections; sessions end with them."""
        self._transport.close()


def _signature(
    what: str, said: Sequence[TensorInfo], known: Sequence[Tensor] | None
) -> Sequence[Tensor]:
    """Give the signature that is known, once the server's fits it; else the server's."""
    if known is None:
        return [
            Tensor(
                info.name,
                dtype_of(info.datatype),
                tuple(UNKNOWN if size < 0 else size for size in info.shape),
            )
            for info in said
        ]
    there: Mapping[str, TensorInfo] = {info.name: info for info in said}
    for spec in known:
        info = there.get(spec.name)
        if info is None or info.datatype != datatype_of(spec.dtype) or not _agree(spec, info):
            raise RemoteModelDiffers(f"The package has the {what} {spec}, the server {info}.")
    if len(there) != len(known):
        more = sorted(set(there) - {spec.name for spec in known})[0]
        raise RemoteModelDiffers(f"The server's model has the {what} {more[:80]!r} besides.")
    return known


def _agree(spec: Tensor, info: TensorInfo) -> bool:
    """Whether shapes are of one rank, and sizes that both fix are the same."""
    return spec.shape is None or (
        len(spec.shape) == len(info.shape)
        and all(
            said < 0 or isinstance(size, str) or said == size
            for size, said in zip(spec.shape, info.shape, strict=True)
        )
    )
