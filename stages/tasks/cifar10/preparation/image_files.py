"""Image files that come from elsewhere, decoded in bounded memory."""

import io
import struct
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from stages.lib.errors import InputError
from stages.tasks.cifar10.training.images import SIDE

#: Not TIFF, whose library writes to standard error, and none that needs another program.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "WEBP")
#: A file of 300 kB can hold so many equal pixels that decoding them takes gigabytes.
MOST_PIXELS = 40_000_000


@contextmanager
def open_image(content: bytes, where: str, formats: Sequence[str] = FORMATS) -> Iterator[Image.Image]:
    """An image that is not decoded yet. Raises InputError, beginning with `where`, for bytes that are not an image,
    also where that shows only in decoding, and for more than MOST_PIXELS pixels.
    """
    try:
        # Pillow warns of large images on standard error; they are refused below.
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(content), formats=formats) as image:
            if image.width * image.height > MOST_PIXELS:
                raise InputError(
                    f"{where}: {image.width} × {image.height} pixels, more than {MOST_PIXELS // 10**6} million"
                )
            yield image
    except Image.DecompressionBombError:
        raise InputError(f"{where}: more than {MOST_PIXELS // 10**6} million pixels") from None
    except UnidentifiedImageError:
        raise InputError(f"{where}: not an image, or damaged; formats are {', '.join(formats)}") from None
    except (OSError, SyntaxError, ValueError, struct.error) as error:
        raise InputError(f"{where}: not an image, or damaged ({error or type(error).__name__})") from None


def decode_jpeg(content: bytes, where: str, side: int) -> NDArray[np.uint8]:
    """A square JPEG image as [side, side, 3]. Raises InputError for anything else; other sizes are not decoded."""
    with open_image(content, where, ("JPEG",)) as image:
        if image.size != (side, side):
            raise InputError(f"{where}: {image.width} × {image.height} pixels, not {side} × {side}")
        return np.asarray(image.convert("RGB"))


def decode(content: bytes, where: str) -> NDArray[np.uint8]:
    """An image file of any mode as [height, width, 3] uint8; transparent parts become white."""
    with open_image(content, where) as image:
        if image.mode in ("I", "I;16", "I;16B"):
            # More than eight bits a pixel, which Pillow would clip: scale the image's own range to 0 … 255.
            gray = np.array(image, dtype=np.float32)
            gray -= gray.min()
            gray *= 255 / (gray.max() or 1)
            return np.repeat(np.rint(gray).astype(np.uint8)[:, :, None], 3, axis=2)
        if image.mode == "RGB":
            return np.asarray(image)
        layer = image.convert("RGBA")
        return np.asarray(Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB"))


def center_crop_and_resize(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The largest centered square of an image [height, width, 3], resized to [32, 32, 3]."""
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = Image.fromarray(np.ascontiguousarray(image[top : top + side, left : left + side]))
    return np.asarray(square.resize((SIDE, SIDE), Image.Resampling.LANCZOS))
