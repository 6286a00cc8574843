"""Pictures as arrays: CIFAR-10's official archive and its JPEG copy, and a picture of any kind that a user has.

An archive comes from elsewhere, so nothing in it is trusted: members are read straight from the tar, never unpacked,
and the official archive's pickles are read with a loader that knows arrays of bytes and nothing else.
"""

import io
import math
import pickle
import re
import struct
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stages.lib.errors import InputError

#: In the official order: a label is a place in this list.
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SIDE = 32
OFFICIAL, COPY = "cifar-10-python.tar.gz", "CIFAR-10-images.tar.gz"
BATCHES = {f"data_batch_{number}": b"training batch %d of 5" % number for number in range(1, 6)}
BATCHES["test_batch"] = b"testing batch 1 of 1"
#: A member larger than this is none of CIFAR-10's (a batch has 31 MB), and could fill the memory.
LARGEST_MEMBER = 64_000_000


class Pictures(NamedTuple):
    """images: [n, 32, 32, 3] uint8, red green blue · labels: [n] uint8."""

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]


def read_cifar10(folder: Path) -> tuple[str, dict[str, Pictures]]:
    """What the data are called, and the splits "train" and "test", from whichever of the two archives lies there."""
    readers = {OFFICIAL: ("CIFAR-10", read_official), COPY: ("CIFAR-10 (JPEG copy)", read_copy)}
    for name, (called, reader) in readers.items():
        if (folder / name).is_file():
            return called, reader(folder / name)
    raise InputError(f"{folder} holds neither {OFFICIAL} nor {COPY}; run `dvc repro -f download@{folder.name}`")


def read_official(archive: Path) -> dict[str, Pictures]:
    """The archive of cs.toronto.edu/~kriz/cifar.html: five training batches and a test batch, as Python 2 pickles.

    Images come in the order of the JPEG copy: by class, and in the archive's own order within each.

    Raises InputError, naming archive and member, for a batch that is missing, in another's place, no pickle, a pickle
    of anything but bytes, numbers and byte arrays, images of another size, and labels out of range.
    """
    found: dict[str, Pictures] = {}
    for name, content in _members(archive):
        batch = Path(name).name
        where = f"{archive}: {name}"
        if batch in BATCHES:
            found[batch] = _batch(unpickle(content, where), BATCHES[batch], where)
        elif batch == "batches.meta":
            meta = unpickle(content, where)
            names = meta.get(b"label_names") if isinstance(meta, dict) else None
            if names != [label.encode() for label in CLASSES]:
                raise InputError(
                    f"{where}: the classes are not CIFAR-10's {', '.join(CLASSES)}; fetch the archive again"
                )
    for batch in BATCHES:
        if batch not in found:
            raise InputError(f"{archive}: {batch} is missing; fetch the archive again")
    train = [found[batch] for batch in BATCHES if batch != "test_batch"]
    splits = {"train": Pictures(*map(np.concatenate, zip(*train, strict=True))), "test": found["test_batch"]}
    orders = {split: np.argsort(pictures.labels, kind="stable") for split, pictures in splits.items()}
    return {split: Pictures(*(part[orders[split]] for part in pictures)) for split, pictures in splits.items()}


def _batch(content: Any, label: bytes, where: str) -> Pictures:
    again = "fetch the archive again"
    if not isinstance(content, dict) or not {b"batch_label", b"labels", b"data"} <= content.keys():
        raise InputError(f"{where}: not a batch with batch_label, labels and data; {again}")
    if content[b"batch_label"] != label:
        raise InputError(f"{where} says that it is {content[b'batch_label']!r}, not {label!r}: swapped files; {again}")
    data, labels = content[b"data"], content[b"labels"]
    if not isinstance(data, np.ndarray) or data.ndim != 2 or not len(data) or data.shape[1] != 3 * SIDE**2:
        shape = " × ".join(map(str, data.shape)) if isinstance(data, np.ndarray) else type(data).__name__
        raise InputError(f"{where}: data are {shape}, not n × {3 * SIDE**2} bytes (32 × 32 pixels, 3 colours); {again}")
    if not isinstance(labels, list) or len(labels) != len(data):
        count = len(labels) if isinstance(labels, list) else "no list of"
        raise InputError(f"{where}: {count} labels for {len(data)} images; {again}")
    for place, value in enumerate(labels):
        if not isinstance(value, int) or not 0 <= value < len(CLASSES):
            raise InputError(
                f"{where}: label {value!r} of image {place} is not one of 0 to {len(CLASSES) - 1}; {again}"
            )
    images = data.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
    return Pictures(np.ascontiguousarray(images), np.array(labels, np.uint8))


def read_copy(archive: Path) -> dict[str, Pictures]:
    """The JPEG copy: <split>/<class>/NNNN.jpg, NNNN being an image's rank within its class.

    The order becomes: by class in the official order, then by rank. Raises InputError, naming archive and member, for
    another path, a file that is no JPEG, a picture of another size, and a gap in the ranks.
    """
    pattern = re.compile(r"(?:.*/)?(train|test)/(\w+)/(\d{4})\.jpg")
    found: dict[str, dict[tuple[int, int], NDArray[np.uint8]]] = {"train": {}, "test": {}}
    for name, content in _members(archive):
        path = pattern.fullmatch(name)
        if not path or path[2] not in CLASSES:
            raise InputError(f"{archive}: {name} is not <train or test>/<class>/NNNN.jpg; fetch the archive again")
        image = decode(content, f"{archive}: {name}")
        if image.shape != (SIDE, SIDE, 3):
            raise InputError(f"{archive}: {name} has {image.shape[1]} × {image.shape[0]} pixels, not {SIDE} × {SIDE}")
        found[path[1]][CLASSES.index(path[2]), int(path[3])] = image
    splits = {}
    for split, images in found.items():
        for label, name in enumerate(CLASSES):
            ranks = {rank for at, rank in images if at == label}
            if not ranks or max(ranks) + 1 != len(ranks):
                gap = next(rank for rank in range(len(ranks) + 1) if rank not in ranks)
                raise InputError(f"{archive}: {split}/{name}/{gap:04}.jpg is missing; fetch the archive again")
        order = sorted(images)
        splits[split] = Pictures(np.stack([images[key] for key in order]), np.array([k for k, _ in order], np.uint8))
    return splits


def decode(content: bytes, where: str) -> NDArray[np.uint8]:
    """A picture file of any kind that Pillow reads, as [height, width, 3]; see-through parts become white."""
    try:
        with Image.open(io.BytesIO(content)) as picture:
            if picture.mode in ("I", "I;16", "I;16B", "F"):
                # More than eight bits: spread what the picture has over black to white. Pillow would clip it.
                grey = np.asarray(picture, dtype=np.float64)
                spread = (grey - grey.min()) / (np.ptp(grey) or 1)
                return np.repeat(np.rint(spread * 255).astype(np.uint8)[:, :, None], 3, axis=2)
            if picture.mode == "RGB":
                return np.asarray(picture)
            clear = picture.convert("RGBA")
            paper = Image.new("RGBA", clear.size, "white")
            return np.asarray(Image.alpha_composite(paper, clear).convert("RGB"))
    except (
        OSError,
        SyntaxError,
        ValueError,
        Image.DecompressionBombError,
        struct.error,
    ) as error:
        raise InputError(f"{where}: not a picture, or a damaged one ({error or type(error).__name__})") from None


def fit(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture of any size as CIFAR-10 has them: the square in its middle, [32, 32, 3]."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = Image.fromarray(np.ascontiguousarray(picture[top : top + side, left : left + side]))
    return np.asarray(square.resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def _members(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of each plain file of a gzipped tar, in the archive's order."""
    with _intact(archive), tarfile.open(archive, "r:gz") as content:
        for member in content:
            if member.isdir():
                continue
            if not member.isfile():
                raise InputError(f"{archive}: {member.name} is a link or a device; do not use this archive")
            if member.size > LARGEST_MEMBER:
                raise InputError(
                    f"{archive}: {member.name} has {member.size:,} bytes; no file of CIFAR-10 is that large"
                )
            yield member.name, content.extractfile(member).read()


@contextmanager
def _intact(archive: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise InputError(f"{archive}: truncated or damaged archive; fetch it again") from None


# ── A loader for the official archive's pickles ───────────────────────────────────────────────────────────────────────


class _Dtype:
    """What a pickle says of an array's numbers; bytes without a sign are all that is let in."""

    def __init__(self, code: Any, align: Any = None, copy: Any = None) -> None:  # noqa: ARG002
        if code not in (b"u1", "u1"):
            raise pickle.UnpicklingError(f"numbers of type {code!r}")

    def __setstate__(self, state: Any) -> None:
        pass


class _Array:
    """Stands in for numpy.ndarray while a pickle is read, and takes the bytes that the array has."""

    def __init__(self) -> None:
        self.array: NDArray[np.uint8] | None = None

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, by_columns, content = state
        if not isinstance(dtype, _Dtype) or not isinstance(content, bytes) or len(content) != math.prod(shape):
            raise pickle.UnpicklingError("an array that is not made of its bytes")
        self.array = np.frombuffer(content, np.uint8).reshape(shape, order="F" if by_columns else "C")


def _reconstruct(kind: Any, shape: Any, code: Any) -> _Array:  # noqa: ARG001
    if kind is not _Array:
        raise pickle.UnpicklingError("an array of a kind of its own")
    return _Array()


class _Unpickler(pickle.Unpickler):
    KNOWN = {
        ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
        ("numpy", "ndarray"): _Array,
        ("numpy", "dtype"): _Dtype,
    }

    def find_class(self, module: str, name: str) -> Any:
        """What a pickle may name: stand-ins for the three names that an array needs."""
        if (module, name) not in self.KNOWN:
            raise pickle.UnpicklingError(f"{module}.{name}")
        return self.KNOWN[module, name]


def unpickle(content: bytes, where: str) -> Any:
    """A pickle of plain values and byte arrays; no code that it names is ever imported or called.

    Raises InputError for anything else, and for what is no pickle.
    """
    try:
        loaded = _Unpickler(io.BytesIO(content), encoding="bytes").load()
        return _unwrapped(loaded)
    except pickle.UnpicklingError as error:
        raise InputError(f"{where}: holds more than the expected arrays ({error}); do not use this archive") from None
    except (EOFError, AttributeError, ImportError, IndexError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{where}: not a pickle of the expected arrays ({type(error).__name__})") from None
    except (OverflowError, MemoryError, RecursionError, struct.error, UnicodeError) as error:
        raise InputError(f"{where}: not a pickle of the expected arrays ({type(error).__name__})") from None


def _unwrapped(loaded: Any) -> Any:
    """The values of a dictionary with arrays in place of their stand-ins; lists of numbers and bytes stay."""
    if not isinstance(loaded, dict):
        return loaded
    return {key: value.array if isinstance(value, _Array) else value for key, value in loaded.items()}
