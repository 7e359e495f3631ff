"""The manifest of a sealed package, once its content key is encrypted to a committee."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from caimi.models.ancestry import Ancestry
from caimi.models.card import Dataset, ModelCard
from caimi.models.manifest import Manifest
from caimi.models.sealed_form import Capsule
from caimi.models.sealing import SealedPackage

NO_ANCESTRY: Final = Ancestry()


def build_manifest(
    sealed: SealedPackage,
    *,
    name: str,
    publisher: str,
    capsule: bytes,
    group_key: bytes,
    licence: str,
    ancestry: Ancestry = NO_ANCESTRY,
    datasets: Sequence[Dataset] = (),
    metrics: Mapping[str, float] | None = None,
    card: ModelCard | Mapping[str, str] | None = None,
) -> Manifest:
    """Join what sealing gave with what the publisher says; model id and version are sealed in.

    `publisher` is a CAIP-10 account; `capsule` the content key encrypted to the committee whose
    public key is `group_key`; `ancestry` what the version was made from, and by whom.

    Raises:
        ManifestMalformed, InvalidAccountId, InvalidLedgerId: a field is out of bounds.
    """
    if not isinstance(card, ModelCard):
        card = ModelCard.read(card or {})
    return Manifest(
        name=name,
        version=sealed.version,
        model_id=sealed.model_id,
        publisher=publisher,
        parents=tuple(ancestry.parents),
        contributors=tuple(ancestry.contributors),
        files=sealed.files,
        framework=sealed.package.framework,
        inputs=sealed.package.inputs,
        outputs=sealed.package.outputs,
        licence=licence,
        datasets=tuple(datasets),
        metrics=metrics,
        card=card,
        signature=sealed.signature,
        sealing=sealed.form,
        capsule=Capsule(capsule, group_key),
    )
