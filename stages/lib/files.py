"""Reading and writing files; writes are atomic: to a temporary sibling, then renamed."""

import importlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from stages.lib.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

ROOT = Path(__file__).resolve().parents[2]
#: What to do about a damaged file that a stage wrote.
REMAKE = "delete it and run `dvc repro`"
#: Bytes of a YAML file, whose parser takes a thousand times as many; values in it, aliases counted where they stand;
#: and how deep lists and mappings lie in one another: the parser in C overruns its stack at some ten thousand.
LARGEST_YAML, MOST_YAML_VALUES, DEEPEST_YAML = 1_000_000, 1_000_000, 100


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


class Content(dict[str, Any]):
    """What a file holds, by name. Asking for a name that it lacks raises InputError."""

    def __init__(self, path: Path, content: Mapping[str, Any]) -> None:
        super().__init__(content)
        self.path = path

    def __missing__(self, name: str) -> Any:
        raise InputError(f"{self.path} has no {name!r}; {REMAKE}")


def read_text(path: Path) -> str:
    """UTF-8 text that a stage wrote. Raises InputError where the file is missing or damaged."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; `dvc repro` makes it") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text from byte {error.start} on; {REMAKE}") from None


def read_json(path: Path) -> Content:
    """A JSON object that a stage wrote. Raises InputError where the file is missing or damaged."""
    try:
        content = json.loads(read_text(path), object_hook=lambda found: Content(path, found))
    except json.JSONDecodeError as error:
        raise InputError(f"{path}, line {error.lineno}: not JSON ({error.msg}); {REMAKE}") from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, brackets in brackets without end
        raise InputError(f"{path}: not JSON ({error}); {REMAKE}") from None
    if not isinstance(content, Content):
        raise InputError(f"{path}: not a JSON object; {REMAKE}")
    return content


def read_tensors(path: Path, library: Literal["torch", "numpy"] = "torch") -> Content:
    """Tensors by name, memory-mapped. Raises InputError where the file is missing or damaged."""
    from safetensors import SafetensorError

    # What the library raises for a damaged header, and NumPy and torch for shapes and types that they do not have.
    damage = (SafetensorError, ValueError, TypeError, LookupError, AttributeError, OverflowError, RuntimeError)
    # Who asks for NumPy's arrays need not wait for torch.
    load_file = importlib.import_module(f"safetensors.{library}").load_file
    if not path.is_file():
        raise InputError(f"{path} does not exist; `dvc repro` makes it")
    try:
        return Content(path, load_file(path))
    except damage as error:
        raise InputError(f"{path}: damaged ({error}); {REMAKE}") from None


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML mapping. Raises InputError with file and line where it is not one, or where a key is given twice."""
    import yaml

    # The parser in C is ten times as fast, which is half a second for reports/; not every build has it.
    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):
        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
            seen = set()
            for key, _ in node.value:
                where = f"{path}, line {key.start_mark.line + 1}"
                if not isinstance(key, yaml.ScalarNode):
                    raise InputError(f"{where}: a list or a mapping is no key; give a name")
                if key.value in seen:
                    raise InputError(f"{where}: duplicate key {key.value!r}")
                seen.add(key.value)
            return super().construct_mapping(node, deep)

    try:
        if path.stat().st_size > LARGEST_YAML:
            raise InputError(f"{path}: more than {LARGEST_YAML:,} bytes; not a file of this project")
        text = path.read_text(encoding="utf-8")
        depth = 0
        for event in yaml.parse(text, Loader=base):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST_YAML:
                raise InputError(f"{path}, line {event.start_mark.line + 1}: too many lists or mappings in one another")
        loader = Loader(text)
        node = loader.get_single_node()
        if node is None or _count_values(node, {}) > MOST_YAML_VALUES:
            raise InputError(f"{path}: expected a mapping of keys to at most {MOST_YAML_VALUES:,} values")
        content = loader.construct_document(node)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text from byte {error.start} on; save it as UTF-8") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InputError(f"{path}, line {line}: {error.problem}") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: {' '.join(str(error).split())}") from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        # PyYAML has no error of its own for a value that looks like a date or a number and is none.
        raise InputError(f"{path}: a value that cannot be read ({error}); put it in quotation marks") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a mapping of keys to values")
    return content


def _count_values(node: Any, known: dict[int, int]) -> int:
    """The values below a node of YAML; a few lines of aliases of aliases stand for more than fit into any memory."""
    if id(node) not in known:
        known[id(node)] = MOST_YAML_VALUES + 1  # where it is met again below itself
        below = node.value if isinstance(node.value, list) else []
        parts = [part for entry in below for part in (entry if isinstance(entry, tuple) else (entry,))]
        known[id(node)] = 1 + sum(_count_values(part, known) for part in parts)
    return known[id(node)]


def project_root() -> Path:
    """The checkout that the user works in, also from inside one of DVC's temporary experiment folders.

    `dvc queue start` runs each experiment in a copy under .dvc/tmp/exps; what outlives an experiment
    (the MLflow store) belongs to the checkout it was queued from.
    """
    for folder in ROOT.parents:
        if folder.name == ".dvc":
            return folder.parent
    return ROOT
