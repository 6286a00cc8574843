"""What has to be alike on two machines for a stage to leave the same bytes on both."""

import os
import platform
import subprocess
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.metadata import version

from stages.lib.files import ROOT
from stages.lib.provenance import processor

#: What stages read besides the data.
CODE = ("stages", "reports", "dvc.yaml", "params.yaml", "full/dvc.yaml", "full/params.yaml", "own/*.yaml")

#: What computes results, and what carries them.
PACKAGES = (
    *("torch", "torchvision", "lightning-fabric", "pytorch-crf", "numpy", "scipy", "scikit-learn", "statsmodels"),
    *("pandas", "pyarrow", "safetensors", "matplotlib", "pillow", "lxml", "gensim", "jieba", "textblob", "dvc"),
    *("dask", "distributed"),
)


@dataclass(frozen=True)
class Facts:
    """Of one process in its checkout. `code` is a hash of the files that stages read; `loaded` is the same at the time
    when this process was first asked, which is the code that it runs.
    """

    commit: str
    code: str
    loaded: str
    python: str
    packages: dict[str, str]
    processor: str
    threads: str

    def refusals(self, other: "Facts") -> list[str]:
        """Why another process may not run this one's stages: it would make something else without a word."""
        found = []
        if self.code != other.code:
            found.append(f"its code is of commit {other.commit}, here it is {self.commit}; both without other changes?")
        elif other.loaded != other.code:
            found.append("its code has changed since it was started; start it again")
        if self.python != other.python:
            found.append(f"its Python is {other.python}, here it is {self.python}")
        differing = [name for name, number in self.packages.items() if other.packages.get(name) != number]
        if differing:
            name = differing[0]
            more = f" (and {len(differing) - 1} more)" if len(differing) > 1 else ""
            found.append(
                f"its {name} is {other.packages.get(name)}, here it is {self.packages[name]}{more}; `make setup`"
            )
        return found

    def notes(self, other: "Facts") -> list[str]:
        """What may move the last bits of a result, which each result's provenance tells."""
        found = []
        if self.processor != other.processor:
            found.append(f"its processor is {other.processor}, here it is {self.processor}")
        if self.threads != other.threads:
            found.append(f"torch takes {other.threads} threads there, {self.threads} here; set OMP_NUM_THREADS")
        return found


def facts() -> Facts:
    """Of this process."""
    return Facts(
        commit=_git("rev-parse", "--short", "HEAD").strip() or "none",
        code=_code(),
        loaded=_loaded(),
        python=".".join(platform.python_version_tuple()[:2]),
        packages={name: version(name) for name in PACKAGES},
        processor=processor(),
        threads=os.environ.get("OMP_NUM_THREADS") or str(os.cpu_count()),
    )


@cache
def _loaded() -> str:
    return _code()


def _code() -> str:
    digest = sha256()
    listed = _git("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *CODE)
    for name in sorted(filter(None, set(listed.split("\0")))):
        if (path := ROOT / name).is_file():
            digest.update(f"{name}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _git(*words: str) -> str:
    return subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False).stdout
