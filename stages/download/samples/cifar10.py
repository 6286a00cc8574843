"""Sample of CIFAR-10: drawings of its ten classes, in the official archive's format, pickled as Python 2 would.

Each class is a few ellipses, boxes and triangles; a drawing rotates, scales, shifts and colors them at random on a
patterned background, puts a bar across, and adds noise. Similar classes share most of their parts.
"""

import gzip
import io
import struct
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.download.samples import generator

ARCHIVE, SIDE = "cifar-10-python.tar.gz", 32
#: Images in each of the five training batches, and in the test batch.
TRAIN, TEST = 24, 40

#: Parts of each class, coordinates from −1 to 1, y down: ellipses and boxes by center and half sizes, triangles by
#: corners. The number in front is the part's color, one of three.
_LEGS = "1 box -.5 .5 .08 .35; 1 box -.2 .5 .08 .35; 1 box .2 .5 .08 .35; 1 box .5 .5 .08 .35"
_WHEELS = "2 ellipse -.5 .45 .2 .2; 2 ellipse .5 .45 .2 .2"
DRAWINGS = {
    "airplane": (
        "0 ellipse 0 0 .95 .14; 1 triangle -.1 0 .25 0 -.3 -.75; 1 triangle -.1 0 .25 0 -.3 .75; "
        "1 triangle -.9 0 -.7 0 -.95 -.4"
    ),
    "automobile": f"0 box 0 .15 .85 .22; 1 ellipse 0 -.1 .5 .35; {_WHEELS}",
    "bird": (
        "0 ellipse 0 .1 .6 .3; 0 ellipse .55 -.25 .22 .2; 1 triangle -.3 .1 .3 .1 -.2 -.7; "
        "2 triangle .7 -.3 .7 -.15 1 -.2"
    ),
    "cat": (
        "0 ellipse 0 .45 .45 .5; 0 ellipse 0 -.25 .42 .36; 1 triangle -.4 -.3 -.1 -.5 -.38 -.9; "
        "1 triangle .4 -.3 .1 -.5 .38 -.9"
    ),
    "deer": (
        f"0 ellipse 0 .1 .6 .25; 0 box .6 -.3 .1 .4; {_LEGS}; 2 triangle .6 -.6 .65 -.6 .3 -1; "
        "2 triangle .6 -.6 .65 -.6 .95 -1"
    ),
    "dog": (
        "0 ellipse 0 .45 .45 .5; 0 ellipse 0 -.25 .42 .36; 1 ellipse -.45 -.15 .13 .35; 1 ellipse .45 -.15 .13 .35"
    ),
    "frog": (
        "0 ellipse 0 .2 .8 .4; 1 ellipse -.35 -.2 .18 .18; 1 ellipse .35 -.2 .18 .18; "
        "2 triangle -.8 .2 -.4 .5 -1 .7; 2 triangle .8 .2 .4 .5 1 .7"
    ),
    "horse": (
        f"0 ellipse 0 .1 .6 .25; 0 box .6 -.3 .1 .4; {_LEGS}; 2 ellipse .75 -.6 .25 .14; "
        "2 triangle -.6 0 -.55 .2 -.95 .5"
    ),
    "ship": (
        "0 box 0 .4 .6 .2; 0 triangle .6 .2 .6 .6 .95 .2; 0 triangle -.6 .2 -.6 .6 -.95 .2; "
        "1 box 0 -.3 .05 .5; 2 triangle .08 -.75 .08 .1 .6 .1"
    ),
    "truck": f"0 box -.25 -.15 .6 .45; 1 box .6 .1 .28 .25; {_WHEELS}; 2 ellipse -.1 .45 .2 .2",
}


def write(folder: Path, seed: int, train: int = TRAIN, test: int = TEST) -> None:
    """Write cifar-10-python.tar.gz: five training batches, a test batch and the class names.

    train, test: images in each batch.
    """
    members = {"batches.meta": {b"num_cases_per_batch": train, b"label_names": [name.encode() for name in DRAWINGS]}}
    for number in range(1, 6):
        members[f"data_batch_{number}"] = _batch(b"training batch %d of 5" % number, train, seed)
    members["test_batch"] = _batch(b"testing batch 1 of 1", test, seed)
    with (
        (folder / ARCHIVE).open("wb") as file,
        gzip.GzipFile("", "wb", 6, file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name, content in members.items():
            data = python2_pickle(content)
            about = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            about.size = len(data)
            archive.addfile(about, io.BytesIO(data))


def _batch(label: bytes, count: int, seed: int) -> dict[bytes, Any]:
    random = generator(seed, "cifar10", label.decode())
    labels = random.permutation(np.arange(count) % len(DRAWINGS))
    names = list(DRAWINGS)
    images = np.stack([draw(names[which], random) for which in labels])
    return {
        b"batch_label": label,
        b"labels": labels.tolist(),
        b"data": images.transpose(0, 3, 1, 2).reshape(count, -1),
        b"filenames": [b"%s_%06d.png" % (names[which].encode(), place) for place, which in enumerate(labels)],
    }


def draw(name: str, random: np.random.Generator) -> NDArray[np.uint8]:
    """One drawing [32, 32, 3]."""
    y, x = (np.mgrid[:SIDE, :SIDE] + 0.5) / SIDE * 2 - 1
    ground, other = random.uniform(0, 1, (2, 3))
    pattern = np.sin(x * random.uniform(1, 9) + y * random.uniform(1, 9) + random.uniform(0, 6))[..., None]
    image = ground + (other - ground) * (0.5 + 0.5 * pattern) * random.uniform(0.2, 1)
    angle, scale = random.normal(0, 0.2), random.uniform(0.6, 0.95)
    left, up = random.uniform(-0.25, 0.25, 2)
    turned = (
        np.cos(angle) * (x - left) + np.sin(angle) * (y - up),
        np.cos(angle) * (y - up) - np.sin(angle) * (x - left),
    )
    own_x, own_y = turned[0] / scale * random.choice([-1, 1]), turned[1] / scale
    colours = random.uniform(0, 1, (3, 3))
    for part in DRAWINGS[name].split(";"):
        colour, shape, *numbers = part.split()
        image[_inside(shape, list(map(float, numbers)), own_x, own_y)] = colours[int(colour)]
    across = x * np.cos(turn := random.uniform(0, 3)) + y * np.sin(turn) - random.uniform(-0.7, 0.7)
    image[np.abs(across) < 0.07] = random.uniform(0, 1, 3)
    image += random.normal(0, 0.08, image.shape)
    return np.clip(image * 255, 0, 255).astype(np.uint8)


def _inside(shape: str, numbers: list[float], x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.bool_]:
    if shape == "triangle":
        corners = np.reshape(numbers, (3, 2))
        sides = [
            (x - ax) * (by - ay) - (y - ay) * (bx - ax)
            for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, 0), strict=True)
        ]
        return np.all([side >= 0 for side in sides], 0) | np.all([side <= 0 for side in sides], 0)
    left, top, wide, high = numbers
    u, v = np.abs((x - left) / wide), np.abs((y - top) / high)
    return u**2 + v**2 <= 1 if shape == "ellipse" else np.maximum(u, v) <= 1


def python2_pickle(value: Any) -> bytes:
    """Protocol 2 as Python 2 and NumPy of 2009 wrote it: bytes, integers, lists, dictionaries, uint8 arrays."""
    return b"\x80\x02" + _pickled(value) + b"."


def _pickled(value: Any) -> bytes:
    if isinstance(value, bytes):
        return b"U" + bytes([len(value)]) + value if len(value) < 256 else b"T" + struct.pack("<i", len(value)) + value
    if isinstance(value, int):
        return b"K" + bytes([value]) if 0 <= value < 256 else b"J" + struct.pack("<i", value)
    if isinstance(value, list):
        return b"](" + b"".join(map(_pickled, value)) + b"e"
    if isinstance(value, dict):
        return b"}(" + b"".join(_pickled(key) + _pickled(item) for key, item in value.items()) + b"u"
    # _reconstruct(ndarray, (0,), "b") then takes a state: version, shape, dtype("u1", 0, 1), by columns, bytes.
    state = b"(K\x01" + _pickled(value.shape[0]) + _pickled(value.shape[1]) + b"\x86"
    state += b"cnumpy\ndtype\n" + _pickled(b"u1") + b"K\x00K\x01\x87R"
    state += b"(K\x03" + _pickled(b"|") + b"NNN" + _pickled(-1) * 2 + b"K\x00tb"
    state += b"\x89" + _pickled(value.tobytes()) + b"t"
    return (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + _pickled(b"b") + b"\x87R" + state + b"b"
    )
