"""CIFAR-10's two archives, and image files of any kind: what is read, and what is refused."""

import gzip
import io
import pickle
import re
import struct
import tarfile
import tracemalloc
import warnings
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import MIRROR, one_error_line, write_reports
from PIL import Image

from stages.download.samples import cifar10 as sample
from stages.lib.errors import InputError
from stages.tasks.cifar10.preparation import archives
from stages.tasks.cifar10.preparation.image_files import center_crop_and_resize, decode
from stages.tasks.cifar10.preparation.pickles import MOST_OPCODES, unpickle
from stages.tasks.cifar10.training.images import CLASSES

FOLDER = "cifar-10-batches-py"


def pack(archive: Path, members: Mapping[str, bytes]) -> Path:
    with tarfile.open(archive, "w:gz") as tar:
        for name, content in members.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            tar.addfile(about, io.BytesIO(content))
    return archive


def unpack(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("made")
    sample.write(folder, 0, train=20, test=20)
    return unpack(folder / sample.ARCHIVE)


def batch(count: int = 20, **changes: Any) -> bytes:
    content = {
        b"batch_label": b"training batch 2 of 5",
        b"labels": [place % 10 for place in range(count)],
        b"data": np.zeros((count, 3072), np.uint8),
    }
    return sample.python2_pickle(content | {key.encode(): value for key, value in changes.items()})


# ── The official archive ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_sample_is_pickled_as_python_2_would(members: dict[str, bytes]) -> None:
    """Python's own pickle and NumPy's own arrays, which know the published files, read the same from it."""
    for name, content in members.items():
        loaded = pickle.loads(content, encoding="bytes")  # noqa: S301 - written by this test's own process
        ours = unpickle(content, name)
        assert loaded.keys() == ours.keys()
        for key, value in loaded.items():
            if key == b"data":
                assert value.dtype == np.uint8
                assert value.shape == (20, 3072)
                assert np.array_equal(value, ours[key])
            else:
                assert value == ours[key]
    assert set(members) == {f"{FOLDER}/{name}" for name in [*archives.BATCHES, "batches.meta"]}


def test_a_pickle_that_asks_for_a_text_codec_is_refused() -> None:
    array = np.arange(12, dtype=np.uint8).reshape(3, 4)
    content = pickle.dumps(array, protocol=2).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    with pytest.raises(InputError, match="more than the expected arrays"):
        unpickle(content, "here")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_pixels_come_out_as_red_green_and_blue_rows(members: dict[str, bytes], tmp_path: Path) -> None:
    """The format's page: 1,024 red values first, row by row, then green, then blue."""
    splits = archives.read_official(pack(tmp_path / "a.tar.gz", members))
    raw = pickle.loads(members[f"{FOLDER}/test_batch"], encoding="bytes")  # noqa: S301 - written by this test
    assert splits["train"].images.shape == (100, 32, 32, 3)
    assert splits["test"].labels.tolist() == sorted(raw[b"labels"])
    for label in range(10):
        of_class = [row for row, own in zip(raw[b"data"], raw[b"labels"], strict=True) if own == label]
        image = splits["test"].images[splits["test"].labels.tolist().index(label)]
        for colour, row, column in ((0, 0, 0), (1, 0, 31), (2, 31, 5), (0, 7, 9)):
            assert image[row, column, colour] == of_class[0][colour * 1024 + row * 32 + column]


class Evil:
    def __init__(self, *call: Any) -> None:
        self.call = call

    def __reduce__(self) -> Any:
        return self.call


PRINT = pickle.dumps(Evil(print, ()), protocol=2)


def test_no_code_that_a_pickle_names_is_called(tmp_path: Path) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        for call in ((exec, ("raise SystemExit",)), (Path.touch, (tmp_path / "made",)), (eval, ("1",))):
            content = pickle.dumps({b"data": Evil(*call)}, protocol=protocol)
            with pytest.raises(InputError, match=r"more than the expected arrays|not a pickle"):
                unpickle(content, "here")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"plain text",
        b"\x80\x02}q",
        b"\x80\x02]\x94h\x05.",
        b"\x80\x02" + b"(" * 50 + b".",
        batch()[:-40],
        # An array of floats, an array with fewer bytes than its shape, an array with no bytes of its own.
        batch().replace(b"U\x02u1", b"U\x02f8"),
        batch().replace(b"(K\x01K\x14", b"(K\x01K\x15"),
        b"\x80\x02cnumpy\ndtype\n)R.",
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\ndtype\nK\x00\x85U\x01b\x87R.",
        b"\x80\x02cnumpy\nndarray\n)R(K\x01K\x02tb.",
    ],
)
def test_what_is_no_pickle_of_arrays_is_refused(content: bytes) -> None:
    with pytest.raises(InputError, match=r"^here: "):
        unpickle(content, "here")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (lambda m: m.pop(f"{FOLDER}/data_batch_3"), ["data_batch_3", "missing"]),
        (lambda m: m.update({f"{FOLDER}/data_batch_3": m[f"{FOLDER}/test_batch"]}), ["data_batch_3", "swapped"]),
        (lambda m: m.update({f"{FOLDER}/test_batch": m[f"{FOLDER}/data_batch_1"]}), ["test_batch", "swapped"]),
        (lambda m: m.update({f"{FOLDER}/data_batch_2": batch(labels=[10] * 20)}), ["data_batch_2", "label 10"]),
        (lambda m: m.update({f"{FOLDER}/data_batch_2": batch(labels=[-1] * 20)}), ["data_batch_2", "label -1"]),
        (lambda m: m.update({f"{FOLDER}/data_batch_2": batch(labels=[0] * 19)}), ["19 labels for 20 images"]),
        (lambda m: m.update({f"{FOLDER}/data_batch_2": batch(labels=b"0")}), ["no list of labels"]),
        (
            lambda m: m.update({f"{FOLDER}/data_batch_2": batch(data=np.zeros((20, 3 * 28 * 28), np.uint8))}),
            ["data_batch_2", "20 × 2352"],
        ),
        (lambda m: m.update({f"{FOLDER}/data_batch_2": batch(data=b"bytes")}), ["data is bytes"]),
        (lambda m: m.update({f"{FOLDER}/data_batch_2": sample.python2_pickle([1])}), ["not a batch"]),
        (
            lambda m: m.update({f"{FOLDER}/data_batch_2": PRINT}),
            ["data_batch_2", "print"],
        ),
        (
            lambda m: m.update({f"{FOLDER}/batches.meta": sample.python2_pickle({b"label_names": [b"x"]})}),
            ["batches.meta", "classes"],
        ),
    ],
)
def test_a_wrong_official_archive_is_named_in_one_line(
    members: dict[str, bytes], tmp_path: Path, changed: Callable[[dict[str, bytes]], Any], words: list[str]
) -> None:
    content = dict(members)
    changed(content)
    with pytest.raises(InputError) as error:
        archives.read_official(pack(tmp_path / "a.tar.gz", content))
    assert all(word in str(error.value) for word in ["a.tar.gz", *words]), error.value
    assert "\n" not in str(error.value)


def test_damaged_archives_and_links_are_refused(members: dict[str, bytes], tmp_path: Path) -> None:
    whole = pack(tmp_path / "whole.tar.gz", members).read_bytes()
    broken = tmp_path / "broken.tar.gz"
    for content in (b"", b"no archive", whole[:2000], whole[: len(whole) // 2], gzip.compress(b"no tar inside")):
        broken.write_bytes(content)
        with pytest.raises(InputError, match=r"broken\.tar\.gz: (truncated|data_batch_1 is missing)"):
            archives.read_official(broken)
    with tarfile.open(broken, "w:gz") as tar:
        link = tarfile.TarInfo(f"{FOLDER}/data_batch_1")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    with pytest.raises(InputError, match="link or a device"):
        archives.read_official(broken)


def header(kind: bytes, size: int, name: str = f"{FOLDER}/data_batch_1") -> bytes:
    """A tar header of a member of this kind and size."""
    about = tarfile.TarInfo(name)
    about.type, about.size = kind, size
    return about.tobuf(tarfile.GNU_FORMAT)


def gzipped(start: bytes, blocks: int, block: bytes = bytes(1 << 20)) -> bytes:
    """`start` and so many mebibytes, as a gzip file of several parts, which takes no time to make."""
    return gzip.compress(start) + gzip.compress(block) * blocks


def small_pickle(name: str) -> bytes:
    """Pickles of a few bytes that would take gigabytes if they were carried out."""
    array = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    dtype = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R"
    text = b"U\xff" + bytes(255)
    return {
        "a large index of the memo": b"\x80\x02]r\xff\xff\xff\x7f.",
        "a huge shape": array + b"(K\x01J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86" + dtype + b"\x89U\x00tb.",
        "bytes times a number": array + b"(K\x01" + text + b"J\xff\xff\xff\x7f\x86" + dtype + b"\x89U\x00tb.",
        "a negative shape": array + b"(K\x01J\xff\xff\xff\xffJ\xff\xff\xff\xff\x86" + dtype + b"\x89U\x01atb.",
        "an array without a shape": array + b"(K\x01)" + dtype + b"\x89U\x00tb.",
        "a long integer": b"\x80\x02\x8b\xff\xff\xff\x7f.",
        "many objects": b"\x80\x02" + b"}" * (MOST_OPCODES + 1) + b".",
        "bytes that are not there": b"\x80\x02T\xff\xff\xff\x7fab.",
    }[name]


@pytest.mark.parametrize(
    "name",
    [
        *("a large index of the memo", "a huge shape", "bytes times a number", "a negative shape"),
        *("an array without a shape", "a long integer", "many objects", "bytes that are not there"),
    ],
)
def test_a_small_pickle_cannot_fill_the_memory(name: str) -> None:
    tracemalloc.start()
    with pytest.raises(InputError, match=r"^here: ") as error:
        unpickle(small_pickle(name), "here")
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (header(tarfile.XHDTYPE, 1 << 30), "truncated or damaged"),
        (header(tarfile.XGLTYPE, 1 << 30), "truncated or damaged"),
        (header(tarfile.GNUTYPE_LONGNAME, 1 << 30), "truncated or damaged"),
        (header(tarfile.REGTYPE, 1 << 30), "1,073,741,824 bytes"),
        (header(tarfile.GNUTYPE_SPARSE, 1 << 30), "link or a device"),
    ],
    ids=["member header", "global header", "name", "file", "sparse file"],
)
def test_a_small_archive_cannot_fill_the_memory(tmp_path: Path, start: bytes, words: str) -> None:
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzipped(start, 1 << 10))
    assert path.stat().st_size < 5_000_000
    tracemalloc.start()
    with pytest.raises(InputError, match=words):
        archives.read_official(path)
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()


def test_what_an_archive_says_beside_its_files_is_not_kept(tmp_path: Path) -> None:
    """Two hundred headers of 2 KB each for all that follows, and as many empty files."""
    path = tmp_path / "a.tar.gz"
    records = b"".join(b"%d k%05d=%s\n" % (20, number, b"v" * 9) for number in range(100))
    pair = header(tarfile.XGLTYPE, len(records)) + records.ljust(2048, b"\0") + header(tarfile.REGTYPE, 0, "x")
    content = b"".join(pair.replace(b"k0", b"k%d" % (number % 10)) for number in range(200))
    path.write_bytes(gzip.compress(content + bytes(1024)))
    tracemalloc.start()
    with pytest.raises(InputError, match="data_batch_1 is missing"):
        archives.read_official(path)
    assert tracemalloc.get_traced_memory()[1] < 2e6
    tracemalloc.stop()


# ── The JPEG copy ─────────────────────────────────────────────────────────────────────────────────────────────────────


def jpeg(image: np.ndarray, kind: str = "JPEG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind, quality=95)
    return file.getvalue()


#: A JPEG image that says it has 4,290 megapixels.
LARGE_JPEG = re.sub(
    rb"(?<=\xff\xc0..\x08)....", b"\xff\xdc\xff\xdc", jpeg(np.zeros((32, 32, 3), np.uint8)), flags=re.DOTALL
)


def copy_of(count: int = 2) -> dict[str, bytes]:
    """Plain colors, which survive JPEG: red tells the class, green the rank, blue the split."""
    return {
        f"{split}/{name}/{rank:04}.jpg": jpeg(np.full((32, 32, 3), (label * 20, rank * 60, blue), np.uint8))
        for split, blue in (("train", 0), ("test", 200))
        for name, label in zip(reversed(CLASSES), range(9, -1, -1), strict=True)
        for rank in reversed(range(count))
    }


def test_the_copy_is_put_in_the_official_class_order(tmp_path: Path) -> None:
    splits = archives.read_jpeg_copy(pack(tmp_path / "c.tar.gz", copy_of()))
    for name, blue in (("train", 0), ("test", 200)):
        images, labels = splits[name]
        assert labels.tolist() == [label for label in range(10) for _ in range(2)]
        expected = [(label * 20, rank * 60, blue) for label in range(10) for rank in range(2)]
        assert np.abs(images.astype(int).mean((1, 2)) - expected).max() < 4


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (lambda m: m.pop("train/cat/0000.jpg"), ["train/cat/0000.jpg is missing"]),
        (lambda m: [m.pop(f"test/dog/{rank:04}.jpg") for rank in range(2)], ["test/dog/0000.jpg is missing"]),
        (lambda m: m.update({"train/cat/0001.jpg": jpeg(np.zeros((32, 28, 3), np.uint8))}), ["28 × 32 pixels"]),
        (lambda m: m.update({"train/cat/0001.jpg": b"not an image"}), ["train/cat/0001.jpg", "not an image"]),
        (lambda m: m.update({"train/cat/0001.jpg": m["train/cat/0001.jpg"][:300]}), ["0001.jpg", "not an image"]),
        (lambda m: m.update({"train/lion/0000.jpg": m["train/cat/0001.jpg"]}), ["train/lion/0000.jpg"]),
        (lambda m: m.update({"train/cat/notes.txt": b""}), ["train/cat/notes.txt"]),
        (lambda m: m.update({"train/cat/0001.jpg": jpeg(np.zeros((32, 32, 3), np.uint8), "PNG")}), ["not an image"]),
        (lambda m: m.update({"train/cat/0001.jpg": LARGE_JPEG}), ["0001.jpg: more than 40 million pixels"]),
    ],
)
def test_a_wrong_copy_is_named_in_one_line(
    tmp_path: Path, changed: Callable[[dict[str, bytes]], Any], words: list[str]
) -> None:
    content = copy_of()
    changed(content)
    with pytest.raises(InputError) as error:
        archives.read_jpeg_copy(pack(tmp_path / "c.tar.gz", content))
    assert all(word in str(error.value) for word in ["c.tar.gz", *words]), error.value


def test_the_archive_that_is_there_names_the_data(members: dict[str, bytes], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has neither"):
        archives.read_cifar10(tmp_path)
    pack(tmp_path / archives.JPEG_COPY, copy_of())
    assert archives.read_cifar10(tmp_path)[0] == "CIFAR-10 (JPEG copy)"
    (tmp_path / archives.JPEG_COPY).unlink()
    pack(tmp_path / archives.OFFICIAL, members)
    assert archives.read_cifar10(tmp_path)[0] == "CIFAR-10"


@pytest.mark.pipeline
def test_bad_archives_end_preprocessing_with_one_line_and_nothing_written(
    call: Callable[..., Any], copy_of_the_code: Path, members: dict[str, bytes]
) -> None:
    raw = copy_of_the_code / "data/sample/raw/cifar10"
    raw.mkdir(parents=True)
    tasks = {"cifar10": {"corpus": "cifar10", "vectors": "cifar10"}}
    write_reports(copy_of_the_code, {}, datasets=["cifar10"], tasks=tasks, groups={})
    for changes, words in (
        ({f"{FOLDER}/data_batch_2": batch(labels=[11] * 20)}, ["label 11"]),
        ({f"{FOLDER}/data_batch_2": PRINT}, ["print"]),
    ):
        pack(raw / archives.OFFICIAL, members | changes)
        done = call("preprocess", "--profile", "sample", "--task", "cifar10")
        one_error_line(done, 2, *words)
        assert [path.name for path in (copy_of_the_code / "data/sample").iterdir()] == ["raw"]


# ── Image files ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "I;16", "I"])
def test_an_image_of_any_mode_and_size_becomes_a_small_one(mode: str) -> None:
    gray = np.tile(np.linspace(0, 255, 90, dtype=np.uint8), (50, 1))
    kinds = {"CMYK": "JPEG", "I": "PPM"}
    if mode == "I;16":
        image = Image.fromarray(gray.astype(np.uint16) * 200)
    else:
        image = Image.fromarray(gray).convert("RGB" if mode in ("P", "CMYK") else mode).convert(mode)
    kind = kinds.get(mode, "PNG")
    file = io.BytesIO()
    image.save(file, kind)
    decoded = decode(file.getvalue(), "here")
    assert decoded.shape == (50, 90, 3)
    assert decoded.dtype == np.uint8
    small = center_crop_and_resize(decoded)
    assert small.shape == (32, 32, 3)
    # Dark on the left, bright on the right, and the middle square of it.
    assert small[:, :8].mean() < 100 < 150 < small[:, -8:].mean()


def test_transparent_parts_are_white_and_the_center_is_taken() -> None:
    image = np.zeros((40, 100, 4), np.uint8)
    image[:, 30:70] = (255, 0, 0, 255)
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    decoded = decode(file.getvalue(), "here")
    assert (decoded[:, :30] == 255).all()
    assert (center_crop_and_resize(decoded) == (255, 0, 0)).all()


def test_an_image_of_the_right_size_is_left_as_it_is() -> None:
    image = np.random.default_rng(0).integers(256, size=(32, 32, 3), dtype=np.uint8)
    assert np.array_equal(center_crop_and_resize(image), image)


@pytest.mark.parametrize(
    "content", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"text", jpeg(np.zeros((64, 64, 3), np.uint8))[:200]]
)
def test_a_broken_image_gets_a_clear_error(content: bytes) -> None:
    with pytest.raises(InputError, match=r"^cat\.png: not an image, or damaged"):
        decode(content, "cat.png")


def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded() -> None:
    row = zlib.compressobj(1)
    rows = b"".join(row.compress(bytes(13001)) for _ in range(13000)) + row.flush()

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    about = struct.pack(">IIBBBBB", 13000, 13000, 8, 0, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", about) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    assert len(content) < 1_000_000
    with warnings.catch_warnings(action="error"), pytest.raises(InputError, match=r"^cat\.png: 13000 × 13000 pixels"):
        decode(content, "cat.png")


@pytest.mark.real
@pytest.mark.skipif(not (MIRROR / archives.JPEG_COPY).is_file(), reason="needs the real data in DATA_MIRROR")
def test_the_real_copy_is_whole() -> None:
    """60,000 images, 6,000 of each class; the colours' means are those that are published for CIFAR-10."""
    splits = archives.read_jpeg_copy(MIRROR / archives.JPEG_COPY)
    for name, count in (("train", 5000), ("test", 1000)):
        assert np.bincount(splits[name].labels).tolist() == [count] * 10
    means = splits["train"].images.mean((0, 1, 2)) / 255
    assert np.allclose(means, (0.4914, 0.4822, 0.4465), atol=0.002)
