"""medallion 3.0.0 with its own configuration file; loaded in the peer's environment, not in ours."""

from __future__ import annotations

import os

import medallion

app = medallion.load_app(os.environ["BENCH_MEDALLION"])
