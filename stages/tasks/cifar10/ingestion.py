"""Images of the user's own, from a folder with one folder a class, to tensors."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from stages.lib.config_model import Strict
from stages.lib.errors import InputError
from stages.lib.own_data.source import Source, split_examples
from stages.lib.task import Prepared
from stages.tasks.cifar10.preparation import Settings, image_statistics
from stages.tasks.cifar10.preparation.image_files import center_crop_and_resize, decode
from stages.tasks.cifar10.training.images import SIDE

SUFFIXES = frozenset((".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".webp"))
LARGEST_FILE = 100_000_000
#: An image takes 3 kB of memory.
MOST_IMAGES = 2_000_000


class Format(Strict):
    """Nothing to say: files are told apart by their names, and images say their format."""


class ImageFile(NamedTuple):
    path: Path
    name: str


def ingest(source: Source, format: Format, settings: Settings) -> Prepared:  # noqa: ARG001
    """Tensors <split>.images [n, 32, 32, 3] uint8, centered squares, and <split>.labels [n], uint8 or, for more than
    256 classes, int32. Metadata as `prepare` has, and examples by split and how many files were dropped.

    Raises InputError, naming the file, for what is not an image or lies outside a class's folder.
    """
    parts, other = {}, 0
    for split, path in source.files.items():
        parts[split], count = list_images(path)
        other += count
    splits = split_examples(parts, source, lambda image: image.name)
    classes = sorted({image.name for image in splits["train"]})
    if len(classes) < 2:
        raise InputError(f"{source.path}: one class; give at least two folders of images")
    label = {name: number for number, name in enumerate(classes)}
    tensors = {}
    for split, images in splits.items():
        pixels = np.empty((len(images), SIDE, SIDE, 3), np.uint8)
        for number, image in enumerate(images):
            pixels[number] = center_crop_and_resize(decode(image.path.read_bytes(), str(image.path)))
        tensors[f"{split}.images"] = torch.from_numpy(pixels)
        dtype = torch.uint8 if len(classes) <= 256 else torch.int32
        tensors[f"{split}.labels"] = torch.tensor([label[image.name] for image in images], dtype=dtype)
    counts = {split: len(images) for split, images in splits.items()}
    metadata = {"classes": classes, "images": counts, "examples": counts, "dropped": {"files without images": other}}
    return Prepared(tensors, metadata | image_statistics(tensors["train.images"].numpy()))


def list_images(folder: Path) -> tuple[list[ImageFile], int]:
    """The images of a folder with one folder a class, sorted, and the number of other files; hidden ones do not count.

    Raises InputError for an image outside a class's folder, a folder in one, a class without images, and a file that is
    too large.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is a file; give a folder with one folder of images a class")
    images, other = [], 0
    for kind in sorted(path for path in folder.iterdir() if not path.name.startswith(".")):
        if not kind.is_dir():
            if kind.suffix.lower() in SUFFIXES:
                raise InputError(f"{kind}: the image is in no class; put it into a folder with the class's name")
            other += 1
            continue
        found = 0
        for path in sorted(path for path in kind.iterdir() if not path.name.startswith(".")):
            if path.is_dir():
                raise InputError(f"{path}: a folder in a class's folder; if these are splits, give splits: train: …")
            if path.suffix.lower() not in SUFFIXES:
                other += 1
                continue
            if path.stat().st_size > LARGEST_FILE:
                raise InputError(f"{path}: {path.stat().st_size:,} bytes; the most allowed is {LARGEST_FILE:,}")
            images.append(ImageFile(path, kind.name))
            found += 1
        if not found:
            raise InputError(f"{kind}: no image for this class; add some, or remove the folder")
    if not images:
        raise InputError(f"{folder}: no images; give one folder of images a class")
    if len(images) > MOST_IMAGES:
        raise InputError(f"{folder}: {len(images):,} images; the most allowed is {MOST_IMAGES:,}")
    return images, other
