"""A server's metadata of a model in JSON."""

from __future__ import annotations

from caimi.errors.inference import UnreadableTensors
from caimi.inference.oip.datatypes import checked_names, checked_shape
from caimi.inference.oip.json_fields import fields_of, split_body, text_field
from caimi.inference.oip.messages import ModelInfo, TensorInfo
from caimi.inference.tensors import MAX_TENSORS


def decode_model_info(body: bytes) -> ModelInfo:
    """Take a server's metadata of a model; raises `UnreadableTensors`."""
    document, _ = split_body(body, None)
    fields = fields_of(
        document,
        "The metadata",
        ("name", "platform", "inputs", "outputs"),
        ("versions", "properties"),
    )
    versions = fields.get("versions", [])
    if not isinstance(versions, list) or len(versions) > MAX_TENSORS:
        raise UnreadableTensors("The metadata's versions are no list.")
    return ModelInfo(
        name=text_field(fields["name"], "name"),
        versions=tuple(text_field(version, "version") for version in versions),
        platform=text_field(fields["platform"], "platform"),
        inputs=_infos(fields["inputs"]),
        outputs=_infos(fields["outputs"]),
    )


def model_info_document(info: ModelInfo) -> dict[str, object]:
    """Give the JSON form of a model's metadata."""
    return {
        "name": info.name,
        "versions": list(info.versions),
        "platform": info.platform,
        "inputs": [_info_document(each) for each in info.inputs],
        "outputs": [_info_document(each) for each in info.outputs],
    }


def _info_document(info: TensorInfo) -> dict[str, object]:
    return {"name": info.name, "datatype": info.datatype, "shape": list(info.shape)}


def _infos(entries: object) -> tuple[TensorInfo, ...]:
    if not isinstance(entries, list) or len(entries) > MAX_TENSORS:
        raise UnreadableTensors("The metadata's tensors are no list of bounded length.")
    infos = []
    for entry in entries:
        fields = fields_of(entry, "A tensor", ("name", "datatype", "shape"), ("parameters",))
        sizes = fields["shape"]
        if not isinstance(sizes, list) or not all(type(s) is int and s >= -1 for s in sizes):
            raise UnreadableTensors("A tensor's shape in the metadata is no list of sizes.")
        checked_shape("metadata", [max(size, 0) for size in sizes])
        infos.append(
            TensorInfo(
                text_field(fields["name"], "name"),
                text_field(fields["datatype"], "datatype"),
                tuple(sizes),
            )
        )
    checked_names([info.name for info in infos])
    return tuple(infos)
