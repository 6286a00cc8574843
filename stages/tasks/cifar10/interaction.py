"""An image file from the user, and a prediction in words."""

import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stages.lib.errors import InputError
from stages.lib.task import UserInput
from stages.tasks.cifar10.preparation.image_files import center_crop_and_resize, decode
from stages.tasks.cifar10.training.images import SIDE, Images
from stages.tasks.cifar10.training.options import Options

LARGEST_FILE = 100_000_000
#: Classes in an answer.
MOST_SHOWN = 20

#: What a user gives, by name: the input example of logged models, from which their signature follows.
INPUT_EXAMPLE = {
    "image": bytes.fromhex(  # a PNG of one pixel
        "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
        "0000000c4944415478da63706838000002840181186a74870000000049454e44ae426082"
    )
}


def encode_input(
    user_input: Sequence[str],
    tensors: Mapping[str, Tensor],  # noqa: ARG001
    metadata: Mapping[str, Any],
    vocabulary: Sequence[str],  # noqa: ARG001
    options: Options,  # noqa: ARG001
) -> UserInput:
    """The path of one image file, of any size and mode; its centered square is resized to 32×32 pixels."""
    if len(user_input) != 1:
        raise InputError(f"give the path of one image, not {len(user_input)}")
    image = decode(_read(user_input[0]), user_input[0])
    height, width = image.shape[:2]
    resized = torch.tensor(center_crop_and_resize(image))
    split = Images(resized.unsqueeze(0), torch.zeros(1), metadata["mean"], metadata["std"])
    crop = "cropped to its centered square, " if height != width else ""
    note = f"{width} × {height} pixels: {crop}resized to {SIDE} × {SIDE}"
    return UserInput(split.batch(torch.tensor([0])), (note,) if (height, width) != (SIDE, SIDE) else ())


def format_prediction(prediction: Sequence[float], user_input: Sequence[str], metadata: Mapping[str, Any]) -> str:  # noqa: ARG001
    """The MOST_SHOWN likeliest classes and their probabilities, most likely first, a line each."""
    classes = metadata["classes"]
    order = sorted(range(len(classes)), key=lambda label: -prediction[label])[:MOST_SHOWN]
    width = max(len(classes[label]) for label in order) + 1
    return "\n".join(f"{classes[label]:<{width}}{prediction[label]:6.1%}" for label in order)


def tabulate_prediction(
    prediction: Sequence[float],
    user_input: Sequence[str],  # noqa: ARG001
    metadata: Mapping[str, Any],
) -> dict[str, object]:
    """prediction: the likeliest class · probability: of it · probability_<class>: of each of up to MOST_SHOWN."""
    classes = metadata["classes"]
    label = max(range(len(classes)), key=lambda label: prediction[label])
    found = {"prediction": classes[label], "probability": round(prediction[label], 4)}
    each = zip(classes, prediction, strict=True) if len(classes) <= MOST_SHOWN else ()
    return found | {f"probability_{name}": round(value, 4) for name, value in each}


def _read(name: str) -> bytes:
    try:
        about = Path(name).stat()
        # Opening a pipe would wait for somebody to write to it.
        if not stat.S_ISREG(about.st_mode):
            raise InputError(f"{name}: not a regular file; give the path of an image")
        if about.st_size > LARGEST_FILE:
            raise InputError(f"{name}: {about.st_size:,} bytes; the most allowed is {LARGEST_FILE:,}")
        return Path(name).read_bytes()
    except OSError as error:
        raise InputError(f"{name}: {error.strerror}; give the path of an image") from None
    except ValueError as error:
        raise InputError(f"{name!r}: {error}; give the path of an image") from None
