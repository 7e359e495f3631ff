"""What tests ask about processes."""

import time
from pathlib import Path


def is_gone(pid: int, within: float = 20.0) -> bool:
    """Tell whether a process ends in time; one that is dead but not buried is not gone."""
    status = Path(f"/proc/{pid}/status")
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if not status.exists():
            return True
        time.sleep(0.02)
    return False
