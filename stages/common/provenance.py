"""What made a committed result: commit, machine and date."""

import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from stages.common.storage import ROOT


def provenance() -> dict[str, str | None]:
    """What made a committed result: commit, machine and date."""
    git = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "commit": git.stdout.strip() or None,
        "machine": _machine(),
        "date": datetime.now(UTC).date().isoformat(),
    }


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
