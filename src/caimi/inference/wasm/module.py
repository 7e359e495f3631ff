"""A compiled module as a value: its bytes, what it says of itself, and what it may touch."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from caimi.errors.inference import ModuleMalformed
from caimi.inference.wasm.metadata import Metadata
from caimi.inference.wasm.sections import (
    CUSTOM,
    ModuleInterface,
    check_interface,
    custom_section,
    read_sections,
)

MAX_MODULE_BYTES: Final = 64 * 1024 * 1024
SECTION: Final = "caimi"


@dataclass(frozen=True, slots=True)
class CompiledModule:
    """A module that keeps ABI 1 as far as its declarations show; made by `parse`."""

    wasm: bytes
    metadata: Metadata
    interface: ModuleInterface

    @property
    def sha256(self) -> bytes:
        """The hash that a model version names it by."""
        return hashlib.sha256(self.wasm).digest()

    @classmethod
    def parse(cls, wasm: bytes) -> CompiledModule:
        """Read a module's sections, metadata, imports and exports; not its function bodies.

        The section ``caimi`` is the last, exactly as `attach` writes it.

        Raises:
            ModuleMalformed: it is not as ABI 1 says.
        """
        if len(wasm) > MAX_MODULE_BYTES:
            raise ModuleMalformed(f"It has {len(wasm)} bytes; at most {MAX_MODULE_BYTES}.")
        sections = read_sections(wasm)
        ours = [part for part in sections if part.id == CUSTOM and part.name == SECTION]
        if not ours:
            raise ModuleMalformed(f"It has no section {SECTION!r}.")
        if wasm[ours[0].start :] != custom_section(SECTION, ours[0].content):
            raise ModuleMalformed(f"Its section {SECTION!r} is not the last, or its length padded.")
        metadata = Metadata.decode(ours[0].content)
        interface = check_interface(sections)
        if interface.reads_weights != bool(metadata.weights):
            raise ModuleMalformed(
                "It imports 'caimi.read' without weights, or has weights without it."
            )
        return cls(wasm, metadata, interface)


def attach(wasm: bytes, metadata: Metadata) -> bytes:
    """Give a linked module with its metadata as the last section.

    Raises:
        ModuleMalformed: `CompiledModule.parse` would not take the result.
    """
    whole = wasm + custom_section(SECTION, metadata.encode())
    CompiledModule.parse(whole)
    return whole
