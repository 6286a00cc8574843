"""CIFAR-10's two archives: the official one (pickled batches) and its JPEG copy.

Nothing in them is trusted: files are read straight from the tar, without unpacking, and in bounded memory.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stages.lib.archives import tar_members
from stages.lib.errors import InputError
from stages.tasks.cifar10.preparation.image_files import decode_jpeg
from stages.tasks.cifar10.preparation.pickles import unpickle
from stages.tasks.cifar10.training.images import CLASSES, SIDE

OFFICIAL, JPEG_COPY = "cifar-10-python.tar.gz", "CIFAR-10-images.tar.gz"
BATCHES = {f"data_batch_{number}": b"training batch %d of 5" % number for number in range(1, 6)}
BATCHES["test_batch"] = b"testing batch 1 of 1"
#: Bytes in a member, and images in the archive, above which it cannot be CIFAR-10: a batch has 31 MB.
LARGEST_MEMBER, MOST_IMAGES = 32_000_000, 60_000
RETRY = "download the archive again"


class LabeledImages(NamedTuple):
    """images: [n, 32, 32, 3] uint8, RGB · labels: [n] uint8."""

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]


def read_cifar10(folder: Path) -> tuple[str, dict[str, LabeledImages]]:
    """The name of the data, and the splits "train" and "test", from whichever of the two archives is there.

    Raises InputError where there is none, and as the two readers do.
    """
    readers = {OFFICIAL: ("CIFAR-10", read_official), JPEG_COPY: ("CIFAR-10 (JPEG copy)", read_jpeg_copy)}
    for name, (label, reader) in readers.items():
        if (folder / name).is_file():
            return label, reader(folder / name)
    raise InputError(f"{folder} has neither {OFFICIAL} nor {JPEG_COPY}; run `dvc repro -f download@{folder.name}`")


def read_official(archive: Path) -> dict[str, LabeledImages]:
    """The archive of https://www.cs.toronto.edu/~kriz/cifar.html: five training batches and a test batch, as Python 2
    pickles.

    Images are put in the order of the JPEG copy: by class, within each in the archive's order.

    Raises InputError, naming archive and member, for a batch that is missing or swapped, a file that is not a pickle of
    numbers, bytes and byte arrays, images of another size, and labels out of range.
    """
    batches: dict[str, LabeledImages] = {}
    for name, content in _files(archive):
        batch = Path(name).name
        where = f"{archive}: {name}"
        if batch in BATCHES:
            batches[batch] = _batch(unpickle(content, where), BATCHES[batch], where)
        elif batch == "batches.meta":
            meta = unpickle(content, where)
            names = meta.get(b"label_names") if isinstance(meta, dict) else None
            if names != [label.encode() for label in CLASSES]:
                raise InputError(f"{where}: the classes are not CIFAR-10's {', '.join(CLASSES)}; {RETRY}")
    for batch in BATCHES:
        if batch not in batches:
            raise InputError(f"{archive}: {batch} is missing; {RETRY}")
    train = [batches[batch] for batch in BATCHES if batch != "test_batch"]
    splits = {"train": LabeledImages(*map(np.concatenate, zip(*train, strict=True))), "test": batches["test_batch"]}
    orders = {name: np.argsort(split.labels, kind="stable") for name, split in splits.items()}
    return {name: LabeledImages(*(part[orders[name]] for part in split)) for name, split in splits.items()}


def read_jpeg_copy(archive: Path) -> dict[str, LabeledImages]:
    """The JPEG copy: <train or test>/<class>/NNNN.jpg, NNNN being an image's rank within its class.

    Images are put in order of class, then rank. Raises InputError, naming archive and member, for another path, a file
    that is not a JPEG image of 32×32 pixels, and a gap in the ranks.
    """
    pattern = re.compile(r"(?:.*/)?(train|test)/(\w+)/(\d{4})\.jpg")
    found: dict[str, dict[tuple[int, int], NDArray[np.uint8]]] = {"train": {}, "test": {}}
    for name, content in _files(archive):
        path = pattern.fullmatch(name)
        if not path or path[2] not in CLASSES:
            raise InputError(f"{archive}: {name[:200]} is not <train or test>/<class>/NNNN.jpg; {RETRY}")
        found[path[1]][CLASSES.index(path[2]), int(path[3])] = decode_jpeg(content, f"{archive}: {name}", SIDE)
        if sum(map(len, found.values())) > MOST_IMAGES:
            raise InputError(f"{archive}: more than CIFAR-10's {MOST_IMAGES:,} images; {RETRY}")
    splits = {}
    for split, images in found.items():
        for label, name in enumerate(CLASSES):
            ranks = {rank for of_image, rank in images if of_image == label}
            if not ranks or max(ranks) + 1 != len(ranks):
                gap = next(rank for rank in range(len(ranks) + 1) if rank not in ranks)
                raise InputError(f"{archive}: {split}/{name}/{gap:04}.jpg is missing; {RETRY}")
        order = sorted(images)
        labels = np.array([label for label, _ in order], np.uint8)
        splits[split] = LabeledImages(np.stack([images[key] for key in order]), labels)
    return splits


def _files(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file, in the archive's order."""
    for member in tar_members(archive):
        if member.size > LARGEST_MEMBER:
            raise InputError(
                f"{archive}: {member.name[:200]} has {member.size:,} bytes, more than any of CIFAR-10's; {RETRY}"
            )
        yield member.name, b"".join(member.chunks())


def _batch(content: Any, label: bytes, where: str) -> LabeledImages:
    if not isinstance(content, dict) or not {b"batch_label", b"labels", b"data"} <= content.keys():
        raise InputError(f"{where}: not a batch with batch_label, labels and data; {RETRY}")
    if content[b"batch_label"] != label:
        found = _shown(content[b"batch_label"])
        raise InputError(f"{where}: batch_label is {found}, not {label!r}: swapped files; {RETRY}")
    data, labels = content[b"data"], content[b"labels"]
    if not isinstance(data, np.ndarray) or not len(data) or data.shape[1] != 3 * SIDE**2:
        shape = " × ".join(map(str, data.shape)) if isinstance(data, np.ndarray) else type(data).__name__
        raise InputError(f"{where}: data is {shape}, not n × {3 * SIDE**2} bytes (32 × 32 pixels, 3 channels); {RETRY}")
    if not isinstance(labels, list) or len(labels) != len(data):
        count = len(labels) if isinstance(labels, list) else "no list of"
        raise InputError(f"{where}: {count} labels for {len(data)} images; {RETRY}")
    for i, value in enumerate(labels):
        if not isinstance(value, int) or not 0 <= value < len(CLASSES):
            raise InputError(
                f"{where}: label {_shown(value)} of image {i} is not one of 0 to {len(CLASSES) - 1}; {RETRY}"
            )
    images = data.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
    return LabeledImages(np.ascontiguousarray(images), np.array(labels, np.uint8))


def _shown(value: Any) -> str:
    """A pickled value in a message; lists and dictionaries may be nested without end."""
    if isinstance(value, int):
        return str(value)
    return repr(value[:50]) if isinstance(value, bytes) else f"a {type(value).__name__}"
