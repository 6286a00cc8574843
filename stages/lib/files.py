"""Reading and writing files; writes are atomic: to a temporary sibling, then renamed."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.lib.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder; rename it to `path` when the block ends well, delete it otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{path.name}.part"
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        # A write error raised through a buffered file carries no name; the user wants to know which disk is full.
        if error.filename is None:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder; it replaces `path` when the block ends well and is deleted otherwise."""
    temporary = path.parent / f".{path.name}.part"
    # One may be left by a process that was killed.
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        if path.exists():
            shutil.rmtree(path)
        os.replace(temporary, path)
    finally:
        if temporary.exists():
            shutil.rmtree(temporary)


def write_text(path: Path, text: str) -> None:
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """JSON with a stable layout, so that equal content means equal bytes. NaN is refused: it is not JSON."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_tensors(path: Path, tensors: "Mapping[str, Tensor]") -> None:
    """A safetensors file. The library's own writer reports a full disk in words of its own; Python's raises OSError."""
    from safetensors.torch import save

    with atomic_file(path) as temporary:
        temporary.write_bytes(save(dict(tensors)))


def read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; `dvc repro` makes it") from None
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path}, line {error.lineno}: not JSON ({error.msg}); delete it and run `dvc repro`"
        ) from None


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML mapping. Raises InputError with file and line where it is not one, or where a key is given twice."""
    import yaml

    # The parser in C is ten times as fast, which is half a second for reports/; not every build has it.
    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):
        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
            seen = set()
            for key, _ in node.value:
                if key.value in seen:
                    raise InputError(f"{path}, line {key.start_mark.line + 1}: duplicate key {key.value!r}")
                seen.add(key.value)
            return super().construct_mapping(node, deep)

    try:
        content = Loader(path.read_text(encoding="utf-8")).get_single_data()
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text from byte {error.start} on; save it as UTF-8") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InputError(f"{path}, line {line}: {error.problem}") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a mapping of keys to values")
    return content


def project_root() -> Path:
    """The checkout that the user works in, also from inside one of DVC's temporary experiment folders.

    `dvc queue start` runs each experiment in a copy under .dvc/tmp/exps; what outlives an experiment
    (the MLflow store) belongs to the checkout it was queued from.
    """
    for folder in ROOT.parents:
        if folder.name == ".dvc":
            return folder.parent
    return ROOT
