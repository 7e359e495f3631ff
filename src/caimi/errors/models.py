"""Errors of packages, manifests, signatures and lineage (letter P)."""

from __future__ import annotations

from typing import ClassVar

from caimi.errors.base import CaimiError


class PackageError(CaimiError):
    """A package or its manifest is not as it must be."""

    code: ClassVar[str] = "CAIMI-P000"
    why: str = "A package is read strictly, so that everybody sees the same one."
    next_step: str = "Correct what is named and run the command again."


class ManifestTooLarge(PackageError):
    """A manifest has more bytes, or is nested deeper, than any manifest may."""

    code: ClassVar[str] = "CAIMI-P001"
    why: str = "Manifests are bounded to 16 MiB so that none can exhaust a reader."
    next_step: str = "Publish fewer files, or use larger chunks."


class ManifestMalformed(PackageError):
    """A manifest is not JSON, or one of its fields is not as the schema says."""

    code: ClassVar[str] = "CAIMI-P002"
    why: str = "Every field of a manifest has one type and stated bounds; no others are allowed."
    next_step: str = "Fetch the manifest again; if it stays so, tell its publisher."


class ManifestNotCanonical(PackageError):
    """A manifest's bytes are not in the canonical form of RFC 8785."""

    code: ClassVar[str] = "CAIMI-P003"
    why: str = "Only the canonical bytes have the digest that the ledger anchors."
    next_step: str = "Fetch the manifest again; if it stays so, tell its publisher."


class ManifestInconsistent(PackageError):
    """Parts of a manifest contradict each other."""

    code: ClassVar[str] = "CAIMI-P004"
    why: str = "Sizes, chunks, hashes and signatures of one version must fit together."
    next_step: str = "Do not use this version; tell its publisher."


class UnsafePath(PackageError):
    """A path in a package could reach outside it, or does not mean the same on every system."""

    code: ClassVar[str] = "CAIMI-P005"
    why: str = "Packages are unpacked on other people's machines."
    next_step: str = "Rename the file: relative, plain names, parts separated by '/'."


class UnsafeFile(PackageError):
    """A package holds a symbolic link or something else that is no plain file or directory."""

    code: ClassVar[str] = "CAIMI-P006"
    why: str = "A link can point at files that were never meant to be published."
    next_step: str = "Replace it with a copy of the file that is meant."


class EmptyPackage(PackageError):
    """There is nothing to publish at that path."""

    code: ClassVar[str] = "CAIMI-P007"
    why: str = "A package has at least one file."
    next_step: str = "Check the path."


class PackageTooLarge(PackageError):
    """A package has too many files, or is nested too deeply."""

    code: ClassVar[str] = "CAIMI-P008"
    why: str = "The manifest lists every file and is itself bounded."
    next_step: str = "Join small files into archives, or publish parts as models of their own."


class CodeExecutingFormat(PackageError):
    """A file is in a format that runs code when it is loaded."""

    code: ClassVar[str] = "CAIMI-P009"
    why: str = "Whoever loads it gives the publisher control of their machine."
    next_step: str = "Export the model to ONNX or safetensors, or permit the format by its name."


class InvalidModel(PackageError):
    """A model file is damaged or does not follow its format."""

    code: ClassVar[str] = "CAIMI-P010"
    why: str = "Its own format's checks fail, so that no engine could load it."
    next_step: str = "Export the model again."


class UnreadablePackage(PackageError):
    """A package's file or directory cannot be read."""

    code: ClassVar[str] = "CAIMI-P011"
    why: str = "It is missing, or its permissions forbid it."
    next_step: str = "Check the path and its permissions."


class UnsupportedEstimator(PackageError):
    """A scikit-learn estimator cannot be turned into ONNX."""

    code: ClassVar[str] = "CAIMI-P012"
    why: str = "The converter knows no operator for it, or the sample input does not fit it."
    next_step: str = "Fit the estimator first; else export it to ONNX with its own converter."


class SigningKeyUnusable(PackageError):
    """A package signing key cannot be read, written or opened."""

    code: ClassVar[str] = "CAIMI-P013"
    why: str = "It must be an encrypted PKCS#8 key on NIST P-256, and the passphrase must fit."
    next_step: str = "Check the path and the passphrase, or make a new key."


class InvalidPackageSignature(PackageError):
    """A package's signature bundle does not verify."""

    code: ClassVar[str] = "CAIMI-P014"
    why: str = "It was altered, was made with another key, or covers other files."
    next_step: str = "Do not use this version; tell its publisher."


class BrokenLineage(PackageError):
    """The chain of parent versions cannot be followed to its start."""

    code: ClassVar[str] = "CAIMI-P015"
    why: str = "A parent is missing, differs from its digest, repeats, or the chain is too long."
    next_step: str = "Ask the publisher for the missing manifest, or raise the depth allowed."


class SecretFile(PackageError):
    """A file that was about to be published is, or holds, a key, a password or a token."""

    code: ClassVar[str] = "CAIMI-P040"
    why: str = "Whoever may open the model reads all its files, and nothing can be taken back."
    next_step: str = "Move it elsewhere; `caimi publish --include PATH` says that it belongs there."


class SignatureMisplaced(InvalidPackageSignature):
    """A package's signature is for another model, version or publisher than the manifest's."""

    code: ClassVar[str] = "CAIMI-P020"
    why: str = (
        "A signature counts for the model, version and publisher that it names; one that was made "
        "before signatures named them counts for none."
    )
    next_step: str = "Ask the publisher to publish a further version, and use that one."


class PublisherUnproved(PackageError):
    """A manifest names another publisher than the account that published it on its ledger."""

    code: ClassVar[str] = "CAIMI-P021"
    why: str = "Anyone can write any name into a manifest; the ledger knows who published it."
    next_step: str = "Do not take it for the named publisher's; ask them for the model's URI."
