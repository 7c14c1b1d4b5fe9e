"""The environment of every measurement: one thread, and memory that is kept once it is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
# The allocator's settings are those under which the tests run; they are read from where they stand.
ALLOCATOR = dict(re.findall(r"\b((?:THP|MALLOC)_\w+)=(\w+)", (ROOT / ".ci/run").read_text()))
ENVIRONMENT = {"OMP_NUM_THREADS": "1", **ALLOCATOR}
