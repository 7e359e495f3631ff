"""Print `docs/errors.md`: ``python -m caimi.errors > docs/errors.md``."""

from __future__ import annotations

import sys

from caimi.errors.catalogue import entries, render

sys.stdout.write(render(entries()))
