"""What loading a model in ONNX Runtime, and each run of it, may cost."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

_SHARE: Final = (3, 4)


def machine_share() -> int:
    """Give three quarters of this machine's memory, in bytes."""
    of, parts = _SHARE
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * of // parts


@dataclass(frozen=True, slots=True)
class OnnxLimits:
    """Seconds of loading and of one run; bytes of a process, and of one run's tensors together.

    `memory_bytes` None stands for three quarters of the machine's memory.
    """

    load_seconds: float = 120.0
    run_seconds: float = 60.0
    memory_bytes: int | None = None
    tensor_bytes: int = 2 * 1024**3

    @property
    def process_bytes(self) -> int:
        """How much private memory a process may have."""
        return machine_share() if self.memory_bytes is None else self.memory_bytes
