"""What made a committed result."""

import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from stages.lib.files import ROOT


def provenance() -> dict[str, Any]:
    """Commit, whether the working tree differed from it, machine, versions and date."""
    return {
        "commit": _git("rev-parse", "HEAD") or None,
        "dirty": bool(_git("status", "--porcelain", "--", "stages", "reports", "params.yaml", "full/params.yaml")),
        "date": datetime.now(UTC).date().isoformat(),
        **environment(),
    }


def environment() -> dict[str, Any]:
    """What else can move the last bits of a result: device, processor features, threads and library versions."""
    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else processor()
    return {
        "device": device,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "versions": {name: version(name) for name in ("torch", "numpy", "scikit-learn", "scipy")},
    }


def _git(*words: str) -> str:
    return subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False).stdout.strip()


def processor() -> str:
    """The kind of this machine's processor, in its maker's words."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
