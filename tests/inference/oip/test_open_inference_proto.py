"""Our text of the protocol has the standard's messages and numbers; the generated one is its."""

import subprocess
import sys
from pathlib import Path

import pytest
from tritonclient.grpc import service_pb2 as standard

import caimi
from caimi.inference.oip import open_inference_pb2 as ours

SOURCE = Path(caimi.__file__).parent.parent
HERE = "caimi/inference/oip/open_inference"


def _said(message) -> dict:
    fields = {
        field.name: (
            field.number,
            field.type,
            field.is_repeated,
            field.containing_oneof.name if field.containing_oneof else None,
            field.message_type.name if field.message_type else None,
        )
        for field in message.fields
    }
    nested = {each.name: _said(each) for each in message.nested_types}
    return {"fields": fields, "nested": nested}


@pytest.mark.parametrize("name", list(ours.DESCRIPTOR.message_types_by_name))
def test_a_message_is_the_standards(name: str):
    standards = standard.DESCRIPTOR.message_types_by_name[name]
    assert _said(ours.DESCRIPTOR.message_types_by_name[name]) == _said(standards)


def test_generating_again_gives_the_same_text(tmp_path: Path):
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", f"-I{SOURCE}", f"--python_out={tmp_path}",
         f"{HERE}.proto"],
        check=True,
        timeout=60,
    )  # fmt: skip
    made = (tmp_path / f"{HERE}_pb2.py").read_text("utf-8")
    assert made == (SOURCE / f"{HERE}_pb2.py").read_text("utf-8")
