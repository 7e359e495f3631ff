"""The generated messages are what their descriptors make, and nothing else is in their folder."""

import importlib
import runpy
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto

import caimi

SOURCE = Path(caimi.__file__).parents[1]
script = runpy.run_path(str(Path(__file__).parents[3] / "scripts" / "fabric-protos"))
PACKAGE = SOURCE / script["PACKAGE"]
MODULES = sorted(PACKAGE.rglob("*_pb2.py"))


def described(module: Path) -> FileDescriptorProto:
    name = ".".join(module.relative_to(SOURCE).with_suffix("").parts)
    found = FileDescriptorProto()
    importlib.import_module(name).DESCRIPTOR.CopyToProto(found)
    return found


def test_generating_again_gives_the_same_text(tmp_path: Path):
    script["generate"]([described(module) for module in MODULES], tmp_path)
    made = {path.relative_to(tmp_path): path.read_text("utf-8") for path in tmp_path.rglob("*.py*")}
    here = {
        path.relative_to(SOURCE): path.read_text("utf-8")
        for path in PACKAGE.rglob("*.py*")
        if path.suffix in (".py", ".pyi")
    }
    assert made == here


@pytest.mark.parametrize("needed", script["NEEDED"])
def test_what_is_needed_is_there(needed: str):
    assert (PACKAGE / needed.replace(".proto", "_pb2.py")).is_file()


def test_whose_messages_these_are_is_said():
    for folder in {module.parent for module in MODULES}:
        assert "SPDX-License-Identifier: Apache-2.0" in (folder / "__init__.py").read_text("utf-8")
