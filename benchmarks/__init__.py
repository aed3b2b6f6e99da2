"""Measurements that anyone can repeat: efficiency, throughput, and the peers beside us.

Importing this package sets one thread for each numerical library, before any of them is
imported, so that a CPU second is a second of one core.
"""

import os

for _pool in ("OMP", "OPENBLAS", "MKL", "NUMEXPR"):
    os.environ[f"{_pool}_NUM_THREADS"] = "1"
for _pool in ("INTRAOP", "INTEROP"):
    os.environ[f"TF_NUM_{_pool}_THREADS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
