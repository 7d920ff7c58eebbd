"""`python -m bench [--soak]`: every bench in a process of its own, one after the other. Compare ratios, not times."""

from __future__ import annotations

import subprocess
import sys

BENCHES = (
    "hardware", "pades", "batch", "pki", "verification", "paper_code", "scan_compare", "registry", "log_writers",
)  # fmt: skip
SOAKS = ("faults",)


def main() -> int:
    """Runs them all; the exit code is 1 when one of them failed or missed its own target."""
    soak = sys.argv[1:] == ["--soak"]
    failed = []
    for name in (*BENCHES, *(SOAKS if soak else ())):
        print(f"== {name}", flush=True)
        extra = ["--soak"] if soak and name == "hardware" else []
        if subprocess.run([sys.executable, "-m", f"bench.{name}", *extra], check=False).returncode:
            failed.append(name)
    print(f"failed or above target: {', '.join(failed) or 'none'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
