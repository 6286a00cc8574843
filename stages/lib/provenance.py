"""What made a committed result."""

import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stages.lib.files import ROOT


def provenance(how: str) -> dict[str, Any]:
    """How a result came about ("trained", "scored", "computed"), from which commit, whether the code then had changes
    that were in no commit, on which machine, and when.
    """
    return {
        "how": how,
        "commit": _git("rev-parse", "HEAD") or None,
        "changed": bool(_git("status", "--porcelain", "--", "stages", "reports.yaml")),
        "machine": _machine(),
        "date": datetime.now(UTC).date().isoformat(),
    }


def _git(*words: str) -> str:
    return subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False).stdout.strip()


def _machine() -> str:
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    names = Path("/proc/cpuinfo")
    lines = names.read_text(encoding="utf-8").splitlines() if names.exists() else []
    model = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine()
    )
    return f"{model}, {torch.get_num_threads()} threads"
