"""The same model gives the same module, whatever surrounds the compiler; and no text of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import golden_module
import pytest
from google.protobuf.descriptor import FieldDescriptor
from onnx import ModelProto

import caimi
from caimi.errors import CaimiError
from caimi.inference.wasm.compiling.compiler import translate
from caimi.inference.wasm.metadata import REVISION
from fuzz import onnx_files

ANEW = (
    "The compiler gives other bytes for the golden model than before: every module's hash changes, "
    "and with it the model versions that name it. If answers may differ in a bit, raise REVISION "
    "in compiler.py; then write the hashes anew with `make golden-module`."
)
MARK = "CAIMI_TEXT_OF_A_STRANGER"


@pytest.fixture(scope="module")
def hashes() -> dict[str, str]:
    return golden_module.hashes()


def test_the_golden_modules_have_the_hashes_that_are_committed(hashes: dict[str, str]):
    golden = json.loads(golden_module.GOLDEN.read_text())
    assert golden == {"revision": REVISION, "modules": hashes}, ANEW


def test_another_process_with_other_hashes_and_another_directory_gives_the_same_bytes(
    hashes: dict[str, str], tmp_path: Path
):
    script = Path(golden_module.__file__).resolve()
    environment = {
        **os.environ,
        "PYTHONHASHSEED": "123",
        "PYTHONPATH": str(Path(caimi.__file__).parents[1]),
        "TMPDIR": str(tmp_path),
        "LANG": "C",
        "TZ": "Asia/Kathmandu",
    }
    done = subprocess.run(
        [sys.executable, script, "show"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout) == hashes


@pytest.mark.parametrize("text", onnx_files.TEXTS)
@pytest.mark.parametrize("place", range(len(onnx_files.valid())))
def test_names_and_texts_of_a_model_do_not_reach_its_code(text: str, place: int, tmp_path: Path):
    whole = onnx_files.valid()[place]
    plain, marked = tmp_path / "plain.onnx", tmp_path / "marked.onnx"
    plain.write_bytes(whole)
    marked.write_bytes(_renamed(whole, text))
    try:
        code = translate(marked).emitted.code
    except CaimiError:
        assert text, "the mark alone is a name like any other"
        return
    assert MARK not in code
    assert code == translate(plain).emitted.code


def _renamed(whole: bytes, text: str) -> bytes:
    """Put a text into every name, doc string, producer, symbol of a size, and metadata."""
    model = ModelProto.FromString(whole)
    _rename(model, f"{text}{MARK}", "")
    model.metadata_props.add(key=f"{text}{MARK}", value=f"{text}{MARK}")
    return bytes(model.SerializeToString())


def _rename(message, text: str, owner: str) -> None:
    kind = message.DESCRIPTOR.name
    for field in message.DESCRIPTOR.fields:
        if field.type == FieldDescriptor.TYPE_STRING and field.name == "doc_string":
            setattr(message, field.name, text)
        elif field.type == FieldDescriptor.TYPE_STRING and _is_free(kind, field.name):
            before = getattr(message, field.name)
            if field.is_repeated:
                before[:] = [f"{each}{text}" if each else "" for each in before]
            elif before:
                setattr(message, field.name, f"{before}{text}")
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            for each in value if field.is_repeated else [value]:
                _rename(each, text, kind)


def _is_free(kind: str, field: str) -> bool:
    """Whether a text is any, not a word of the standard."""
    words = {"op_type", "domain", "ref_attr_name", "denotation", "key"}
    return field not in words and (kind, field) != ("AttributeProto", "name")


@pytest.mark.parametrize("place", range(len(onnx_files.valid())))
def test_comments_of_the_code_do_not_list_attributes(place: int, tmp_path: Path):
    file = tmp_path / "model.onnx"
    file.write_bytes(onnx_files.valid()[place])
    code = translate(file).emitted.code
    comments = re.findall(r"/\*.*?\*/", code, re.DOTALL)
    assert comments
    assert all("Attrs: n/a" in comment for comment in comments if "Attrs" in comment)
