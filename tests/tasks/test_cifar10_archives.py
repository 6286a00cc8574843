"""CIFAR-10's two archives, and pictures of any kind: what is read, and what is refused."""

import gzip
import io
import pickle
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import MIRROR, one_error_line
from PIL import Image

from stages.tasks.cifar10 import pictures
from stages.download.samples import cifar10 as sample
from stages.lib.errors import InputError

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
        ours = pictures.unpickle(content, name)
        assert loaded.keys() == ours.keys()
        for key, value in loaded.items():
            if key == b"data":
                assert value.dtype == np.uint8
                assert value.shape == (20, 3072)
                assert np.array_equal(value, ours[key])
            else:
                assert value == ours[key]
    assert set(members) == {f"{FOLDER}/{name}" for name in [*pictures.BATCHES, "batches.meta"]}


def test_a_pickle_that_asks_for_a_text_codec_is_refused() -> None:
    array = np.arange(12, dtype=np.uint8).reshape(3, 4)
    content = pickle.dumps(array, protocol=2).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    with pytest.raises(InputError, match=r"_codecs\.encode"):
        pictures.unpickle(content, "here")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_pixels_come_out_as_red_green_and_blue_rows(members: dict[str, bytes], tmp_path: Path) -> None:
    """The format's page: 1,024 red values first, row by row, then green, then blue."""
    splits = pictures.read_official(pack(tmp_path / "a.tar.gz", members))
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


def test_no_code_that_a_pickle_names_is_called(tmp_path: Path) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        for call in ((exec, ("raise SystemExit",)), (Path.touch, (tmp_path / "made",)), (eval, ("1",))):
            content = pickle.dumps({b"data": Evil(*call)}, protocol=protocol)
            with pytest.raises(InputError, match=r"more than the expected arrays|not a pickle"):
                pictures.unpickle(content, "here")
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
        pictures.unpickle(content, "here")


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
        (lambda m: m.update({f"{FOLDER}/data_batch_2": batch(data=b"bytes")}), ["data are bytes"]),
        (lambda m: m.update({f"{FOLDER}/data_batch_2": sample.python2_pickle([1])}), ["not a batch"]),
        (lambda m: m.update({f"{FOLDER}/data_batch_2": pickle.dumps(Evil(print, ()))}), ["data_batch_2", "print"]),
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
        pictures.read_official(pack(tmp_path / "a.tar.gz", content))
    assert all(word in str(error.value) for word in ["a.tar.gz", *words]), error.value
    assert "\n" not in str(error.value)


def test_damaged_archives_and_links_are_refused(members: dict[str, bytes], tmp_path: Path) -> None:
    whole = pack(tmp_path / "whole.tar.gz", members).read_bytes()
    broken = tmp_path / "broken.tar.gz"
    for content in (b"", b"no archive", whole[:2000], whole[: len(whole) // 2], gzip.compress(b"no tar inside")):
        broken.write_bytes(content)
        with pytest.raises(InputError, match=r"broken\.tar\.gz: (truncated|data_batch_1 is missing)"):
            pictures.read_official(broken)
    with tarfile.open(broken, "w:gz") as tar:
        link = tarfile.TarInfo(f"{FOLDER}/data_batch_1")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    with pytest.raises(InputError, match="link or a device"):
        pictures.read_official(broken)


# ── The JPEG copy ─────────────────────────────────────────────────────────────────────────────────────────────────────


def jpeg(image: np.ndarray, kind: str = "JPEG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind, quality=95)
    return file.getvalue()


def copy_of(count: int = 2) -> dict[str, bytes]:
    """Plain colours, which survive JPEG: red tells the class, green the rank, blue the split."""
    return {
        f"{split}/{name}/{rank:04}.jpg": jpeg(np.full((32, 32, 3), (label * 20, rank * 60, blue), np.uint8))
        for split, blue in (("train", 0), ("test", 200))
        for name, label in zip(reversed(pictures.CLASSES), range(9, -1, -1), strict=True)
        for rank in reversed(range(count))
    }


def test_the_copy_is_put_in_the_official_class_order(tmp_path: Path) -> None:
    splits = pictures.read_copy(pack(tmp_path / "c.tar.gz", copy_of()))
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
        (lambda m: m.update({"train/cat/0001.jpg": b"no picture"}), ["train/cat/0001.jpg", "not a picture"]),
        (lambda m: m.update({"train/cat/0001.jpg": m["train/cat/0001.jpg"][:300]}), ["0001.jpg", "not a picture"]),
        (lambda m: m.update({"train/lion/0000.jpg": m["train/cat/0001.jpg"]}), ["train/lion/0000.jpg"]),
        (lambda m: m.update({"train/cat/notes.txt": b""}), ["train/cat/notes.txt"]),
    ],
)
def test_a_wrong_copy_is_named_in_one_line(
    tmp_path: Path, changed: Callable[[dict[str, bytes]], Any], words: list[str]
) -> None:
    content = copy_of()
    changed(content)
    with pytest.raises(InputError) as error:
        pictures.read_copy(pack(tmp_path / "c.tar.gz", content))
    assert all(word in str(error.value) for word in ["c.tar.gz", *words]), error.value


def test_the_archive_that_lies_there_says_what_the_data_are(members: dict[str, bytes], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds neither"):
        pictures.read_cifar10(tmp_path)
    pack(tmp_path / pictures.COPY, copy_of())
    assert pictures.read_cifar10(tmp_path)[0] == "CIFAR-10 (JPEG copy)"
    (tmp_path / pictures.COPY).unlink()
    pack(tmp_path / pictures.OFFICIAL, members)
    assert pictures.read_cifar10(tmp_path)[0] == "CIFAR-10"


@pytest.mark.pipeline
def test_bad_archives_end_preprocessing_with_one_line_and_nothing_written(
    call: Callable[..., Any], copy_of_the_code: Path, members: dict[str, bytes]
) -> None:
    raw = copy_of_the_code / "data/sample/raw/cifar10"
    raw.mkdir(parents=True)
    for changes, words in (
        ({f"{FOLDER}/data_batch_2": batch(labels=[11] * 20)}, ["label 11"]),
        ({f"{FOLDER}/data_batch_2": pickle.dumps(Evil(print, ()))}, ["print"]),
    ):
        pack(raw / pictures.OFFICIAL, members | changes)
        done = call("preprocess", "--profile", "sample", "--task", "cifar10", "--corpus", "cifar10")
        one_error_line(done, 2, *words)
        assert [path.name for path in (copy_of_the_code / "data/sample").iterdir()] == ["raw"]


# ── Pictures of users ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "YCbCr", "I;16", "I", "F"])
def test_a_picture_of_any_mode_and_size_becomes_a_small_one(mode: str) -> None:
    grey = np.tile(np.linspace(0, 255, 90, dtype=np.uint8), (50, 1))
    kinds = {"CMYK": "TIFF", "YCbCr": "TIFF", "F": "TIFF", "I": "TIFF", "I;16": "TIFF"}
    if mode == "I;16":
        picture = Image.fromarray(grey.astype(np.uint16) * 200)
    else:
        picture = Image.fromarray(grey).convert("RGB" if mode in ("P", "CMYK", "YCbCr") else mode).convert(mode)
    kind = kinds.get(mode, "PNG")
    file = io.BytesIO()
    picture.save(file, kind)
    decoded = pictures.decode(file.getvalue(), "here")
    assert decoded.shape == (50, 90, 3)
    assert decoded.dtype == np.uint8
    small = pictures.fit(decoded)
    assert small.shape == (32, 32, 3)
    # Dark on the left, bright on the right, and the middle square of it.
    assert small[:, :8].mean() < 100 < 150 < small[:, -8:].mean()


def test_see_through_parts_are_white_and_the_middle_is_taken() -> None:
    picture = np.zeros((40, 100, 4), np.uint8)
    picture[:, 30:70] = (255, 0, 0, 255)
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    decoded = pictures.decode(file.getvalue(), "here")
    assert (decoded[:, :30] == 255).all()
    assert (pictures.fit(decoded) == (255, 0, 0)).all()


def test_a_picture_of_the_right_size_is_left_as_it_is() -> None:
    image = np.random.default_rng(0).integers(256, size=(32, 32, 3), dtype=np.uint8)
    assert np.array_equal(pictures.fit(image), image)


@pytest.mark.parametrize(
    "content", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"text", jpeg(np.zeros((64, 64, 3), np.uint8))[:200]]
)
def test_a_broken_picture_gets_a_clear_error(content: bytes) -> None:
    with pytest.raises(InputError, match=r"^cat\.png: not a picture, or a damaged one"):
        pictures.decode(content, "cat.png")


@pytest.mark.real
@pytest.mark.skipif(not (MIRROR / pictures.COPY).is_file(), reason="needs the real data in DATA_MIRROR")
def test_the_real_copy_is_whole() -> None:
    """60,000 images, 6,000 of each class; the colours' means are those that are published for CIFAR-10."""
    splits = pictures.read_copy(MIRROR / pictures.COPY)
    for name, count in (("train", 5000), ("test", 1000)):
        assert np.bincount(splits[name].labels).tolist() == [count] * 10
    means = splits["train"].images.mean((0, 1, 2)) / 255
    assert np.allclose(means, (0.4914, 0.4822, 0.4465), atol=0.002)
