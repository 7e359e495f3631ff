"""A package: the files of one model, looked at before anything is published."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from caimi.errors.models import CodeExecutingFormat
from caimi.extras import extra_named
from caimi.models.files import PackageFile, is_gits_own, walk
from caimi.models.safetensors_file import check_safetensors
from caimi.models.secret_files import check_no_secret, stays_behind
from caimi.models.tensor import Tensor
from caimi.models.unsafe_formats import KINDS, find_code
from caimi.models.weights import NonFinite

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


_GITS_OWN: Final = "Git's own files are not part of a model."
_HIDDEN: Final = "Hidden files are not published, unless `--include` names them."


@dataclass(frozen=True, slots=True)
class PackageWarning:
    """Something a publisher should know that does not stop a publication.

    `kind` is stable: ``non-finite-weights``, ``left-out``, ``permitted-code`` or ``python-source``.
    """

    kind: str
    path: str
    message: str

    def __str__(self) -> str:
        """Give one line for people."""
        return f"{self.path}: {self.message}"


@dataclass(frozen=True, slots=True)
class Package:
    """Files in the order of their paths, what they are, and what to be warned of."""

    files: tuple[PackageFile, ...]
    framework: str
    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    warnings: tuple[PackageWarning, ...] = ()

    @property
    def total_bytes(self) -> int:
        """The size of all files together."""
        return sum(file.size for file in self.files)

    @classmethod
    def from_path(
        cls, path: Path, *, permit: Collection[str] = (), include: Collection[str] = ()
    ) -> Package:
        """Look at a file or a directory. Blocking: it reads every file.

        Below a directory hidden files are left out, with a warning, and what looks like a secret is
        refused: `include` names those (or their directories, by their paths in the package) that
        belong to the model.

        The framework is ``onnx`` or ``safetensors`` when there is such a file, else ``opaque``; the
        signature is that of the first ONNX file. `permit` names formats of `KINDS` that run code
        when loaded and are published all the same, with a warning.

        Raises:
            CodeExecutingFormat: a file runs code when loaded, and its kind is not permitted.
            SecretFile: a file is a key, password or token, and is not included by name.
            InvalidModel: an ONNX or safetensors file is damaged.
            UnsafePath, UnsafeFile, EmptyPackage, PackageTooLarge, UnreadablePackage: see `walk`.
            SourceChanged: something wrote to the files meanwhile.
        """
        files, left_out = walk(path, lambda name: stays_behind(name, include))
        warnings = [
            PackageWarning("left-out", name, _GITS_OWN if is_gits_own(name) else _HIDDEN)
            for name in sorted(left_out)
        ]
        for file in files:
            check_no_secret(file, include)
        return cls.of_files(files, permit=permit, warnings=warnings)

    @classmethod
    def of_files(
        cls,
        files: Sequence[PackageFile],
        *,
        permit: Collection[str] = (),
        warnings: Sequence[PackageWarning] = (),
    ) -> Package:
        """Look at files that were listed before, whoever made them. Blocking.

        Raises:
            CodeExecutingFormat, InvalidModel, SourceChanged: as `from_path` does.
        """
        return _look_at(list(files), permit, list(warnings))

    @classmethod
    def from_sklearn(cls, estimator: Any, sample_inputs: ArrayLike) -> Package:  # noqa: ANN401 - scikit-learn has no types
        """Turn a fitted scikit-learn estimator into a package of one file, ``model.onnx``.

        `sample_inputs` has shape (rows, features); its dtype becomes the input's. Classifiers give
        labels and an array of probabilities.

        Raises:
            UnsupportedEstimator: it is not fitted, or the converter knows no operator for it.
        """
        with extra_named():
            from caimi.models.sklearn_export import to_onnx  # noqa: PLC0415 - loads slowly

        data = to_onnx(estimator, sample_inputs)
        return _look_at([PackageFile("model.onnx", len(data), data)], (), [])


def _look_at(
    files: list[PackageFile], permit: Collection[str], warnings: list[PackageWarning]
) -> Package:
    unknown = sorted(set(permit) - KINDS)
    if unknown:
        raise CodeExecutingFormat(
            f"{unknown[0]!r} is no format that can be permitted; there are: {sorted(KINDS)}."
        )
    beside = {file.path: file for file in files}
    framework = "opaque"
    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    for file in files:
        warnings += _check_code(file, permit)
        suffix = file.path.lower().rpartition(".")[2]
        if suffix == "onnx":
            from caimi.models.onnx_file import check_onnx  # noqa: PLC0415 - loads slowly

            findings = check_onnx(file, beside)
            warnings += _non_finite(file, findings.non_finite)
            if framework != "onnx":
                framework, inputs, outputs = "onnx", findings.inputs, findings.outputs
        elif suffix == "safetensors":
            warnings += _non_finite(file, check_safetensors(file))
            framework = "safetensors" if framework == "opaque" else framework
        elif suffix == "py":
            message = "It is Python source, which a loader may be asked to trust and run."
            warnings.append(PackageWarning("python-source", file.path, message))
    return Package(tuple(files), framework, inputs, outputs, tuple(warnings))


def _check_code(file: PackageFile, permit: Collection[str]) -> list[PackageWarning]:
    found = find_code(file)
    if found is None:
        return []
    if found.kind not in permit:
        raise CodeExecutingFormat(f"{file.path!r} is refused ({found.kind}): {found.reason}.")
    return [PackageWarning("permitted-code", file.path, found.reason)]


def _non_finite(file: PackageFile, tensors: Iterable[NonFinite]) -> list[PackageWarning]:
    return [
        PackageWarning(
            "non-finite-weights",
            file.path,
            f"{tensor.tensor[:80]!r}: {tensor.count} of {tensor.total} values are not finite.",
        )
        for tensor in tensors
    ]
