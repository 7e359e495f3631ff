"""What is shared: packages, their manifests and signatures, sealing, lineage."""

from caimi.models.card import Dataset, ModelCard
from caimi.models.content_key import ContentKey
from caimi.models.lineage import lineage
from caimi.models.manifest import MAX_MANIFEST_BYTES, FileEntry, Manifest
from caimi.models.package import Package, PackageWarning
from caimi.models.publication import build_manifest
from caimi.models.sealed_form import Capsule, SealedForm, SignatureRecord
from caimi.models.sealed_reader import SealedReader
from caimi.models.sealing import SealedPackage, seal
from caimi.models.signature_bundle import verify_bundle
from caimi.models.signing import PackageSigner
from caimi.models.tensor import Tensor
from caimi.models.unsealing import UnsealReport, fetch_bundle, unseal

__all__ = [
    "MAX_MANIFEST_BYTES",
    "Capsule",
    "ContentKey",
    "Dataset",
    "FileEntry",
    "Manifest",
    "ModelCard",
    "Package",
    "PackageSigner",
    "PackageWarning",
    "SealedForm",
    "SealedPackage",
    "SealedReader",
    "SignatureRecord",
    "Tensor",
    "UnsealReport",
    "build_manifest",
    "fetch_bundle",
    "lineage",
    "seal",
    "unseal",
    "verify_bundle",
]
