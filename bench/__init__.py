"""Speed and memory, measured against peers on the same machine in the same run."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "tests"))  # the zoo of models is there
