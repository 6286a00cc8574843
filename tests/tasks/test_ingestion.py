"""The user's own files, format by format: what is read from them, and the mistakes that are common in them."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from stages.lib.errors import InputError
from stages.lib.own_data.source import Source, find_files
from stages.lib.task import Prepared, get_task, task_module
from stages.lib.text import glove

WORDS = [
    "a",
    "man",
    "dog",
    "cat",
    "plays",
    "runs",
    "eats",
    "good",
    "bad",
    "film",
    "food",
    "great",
    "poor",
    "battery",
    "screen",
    "the",
    "is",
    "and",
]


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    lines = [word + " " + " ".join(f"{value:.3f}" for value in random.normal(size=4)) for word in WORDS]
    path = tmp_path / glove.FILE
    path.write_text("\n".join(lines) + "\n")
    return path


class Ingest:
    """Calls a task's `ingest` for files that are written first."""

    def __init__(self, folder: Path, vectors: Path) -> None:
        self.folder, self.vectors = folder / "data", vectors
        self.folder.mkdir()

    def write(self, name: str, content: bytes | str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def __call__(self, task: str, name: str = "", splits: Any = None, **table: Any) -> Prepared:
        path = self.folder / name if name else self.folder
        ingestion, settings = task_module(task, "ingestion"), task_module(task, "preparation").Settings
        quick = {"word2vec_width": 3, "word2vec_epochs": 1} if "word2vec_width" in settings.model_fields else {}
        files = find_files(path, splits)
        source = Source(path, files, 0, {"validation": 0.2, "test": 0.2}, self.vectors)
        prepared: Prepared = ingestion.ingest(source, ingestion.Format(**table), settings(**quick))
        return prepared


@pytest.fixture
def ingest(tmp_path: Path, vectors: Path) -> Ingest:
    return Ingest(tmp_path, vectors)


def error_of(ingest: Ingest, *words: Any, **table: Any) -> str:
    with pytest.raises(InputError) as error:
        ingest(*words, **table)
    message = str(error.value)
    assert "\n" not in message
    assert str(ingest.folder) in message
    return message


def trains(task: str, prepared: Prepared) -> None:
    """The task can load the data, and its first network train on them: a step gives a finite loss."""
    options = task_module(task, "training.options")
    one, metadata = get_task(task), {"sample": False, **prepared.metadata}
    splits = one.load(prepared.tensors, metadata, options.Options())
    assert {"train", "validation", "test"} <= splits.keys()
    assert len(splits["train"]) == prepared.metadata["examples"]["train"]
    name, network = next(iter(options.NETWORKS.items()))
    built = one.build(name, network(), metadata)
    loss, _ = one.training_step(built, splits["train"].batch(torch.tensor([0, 1])), options.Options())
    assert torch.isfinite(loss)


# ── Sentence pairs ────────────────────────────────────────────────────────────────────────────────────────────────────

PAIRS = "sentence1,sentence2,score\n" + "".join(f"a man {w},the {w} dog,{n % 6}\n" for n, w in enumerate(WORDS))


def test_pairs_keep_their_scores_and_sentences(ingest: Ingest) -> None:
    ingest.write("p.csv", PAIRS + "a man,,3\n\na man a,the a dog,0\n")
    prepared = ingest("sts", "p.csv")
    assert prepared.metadata["dropped"] == {"blank lines": 1, "pairs without a sentence": 1, "duplicates": 1}
    assert sum(prepared.metadata["examples"].values()) == len(WORDS)
    scores = torch.cat([prepared.tensors[f"{split}.similarity"] for split in ("train", "validation", "test")])
    assert sorted(scores.tolist()) == sorted(float(n % 6) for n in range(len(WORDS)))
    trains("sts", prepared)


def test_another_scale_becomes_that_of_the_task(ingest: Ingest) -> None:
    """From 1 to 3 to 0 to 5: the middle stays the middle."""
    rows = "".join(f"a man {word}\tthe dog\t{1 + n % 3}\n" for n, word in enumerate(WORDS))
    for split in ("train", "dev", "test"):
        ingest.write(f"{split}.tsv", rows)
    splits = {"train": "train.tsv", "validation": "dev.tsv", "test": "test.tsv"}
    prepared = ingest("sts", splits=splits, first=1, second=2, score=3, scale=(1, 3))
    assert prepared.tensors["test.similarity"].tolist() == [2.5 * (n % 3) for n in range(len(WORDS))]


@pytest.mark.parametrize(
    ("content", "table", "message"),
    [
        (
            PAIRS.replace(",5\n", ",5.5\n", 1),
            {},
            "line 7: score 5.5 is not from 0 to 5; correct it, or give format.scale",
        ),
        (PAIRS.replace(",0\n", ",-1\n", 1), {}, "line 2: score -1 is not from 0 to 5"),
        (
            PAIRS.replace(",1\n", ',"1,5"\n', 1),
            {},
            "line 3: score: '1,5' is not a finite number; write a decimal point",
        ),
        (PAIRS.replace(",1\n", ",high\n", 1), {}, "line 3: score: 'high' is not a finite number"),
        (PAIRS.replace(",1\n", ",nan\n", 1), {}, "line 3: score: 'nan' is not a finite number"),
        (PAIRS.replace(",1\n", ",\n", 1), {}, "line 3: score: '' is not a finite number"),
        (PAIRS.replace("sentence2", "b"), {}, "line 1: no column 'sentence2'; there are 'sentence1', 'b', 'score'"),
        (PAIRS.replace(",", "\t"), {}, "line 1: one column; is the delimiter '\\t'?"),
        (PAIRS.replace("a man", "a man, old"), {}, "line 2: 4 values where 3 are expected"),
        (PAIRS.replace("man", "mañana").encode("latin-1"), {}, "line 2: byte 0xf1 is not utf-8 text"),
        (PAIRS.split("\n")[0], {}, "a header and no records"),
        ("\n".join(PAIRS.split("\n")[:3]), {}, "fewer than 3 examples"),
        ("sentence1,sentence2,score\na,,1\n", {}, "no pair has two sentences"),
        (PAIRS, {"scale": (5, 0)}, "format.scale = [5, 0]: give the lowest score"),
        ("", {}, "the file is empty"),
    ],
)
def test_mistakes_in_pairs(ingest: Ingest, content: bytes | str, table: dict[str, Any], message: str) -> None:
    ingest.write("p.csv", content)
    assert message in error_of(ingest, "sts", "p.csv", **table)


# ── Labelled sentences ────────────────────────────────────────────────────────────────────────────────────────────────

REVIEWS = "text,label\n" + "".join(f"a {w} film,{'pos' if n % 2 else 'neg'}\n" for n, w in enumerate(WORDS))


def labels(prepared: Prepared) -> list[float]:
    splits = ("train", "validation", "test")
    return sorted(value for split in splits for value in prepared.tensors[f"{split}.labels"].tolist())


def test_a_table_and_a_file_a_class_are_the_same_data(ingest: Ingest) -> None:
    ingest.write("t/r.csv", REVIEWS + ",pos\na a film,neg\n")
    table = ingest("reviews", "t/r.csv")
    assert table.metadata["classes"] == ["neg", "pos"]
    assert table.metadata["dropped"] == {"blank lines": 0, "sentences without words": 1, "duplicates": 1}
    for kind in ("neg", "pos"):
        lines = [line.split(",")[0] for line in REVIEWS.splitlines() if line.endswith(kind)]
        ingest.write(f"files/{kind}.txt", "\n".join(lines) + "\n\n")
    ingest.write("files/.DS_Store", b"\x00")
    files = ingest("reviews", "files")
    assert files.metadata["dropped"]["blank lines"] == 2
    assert labels(files) == labels(table) == sorted(float(n % 2) for n in range(len(WORDS)))
    trains("reviews", files)


def test_the_positive_class_can_be_said(ingest: Ingest) -> None:
    ingest.write("r.csv", REVIEWS.replace("neg", "ham").replace("pos", "spam"))
    assert ingest("reviews", "r.csv").metadata["classes"] == ["ham", "spam"]
    assert ingest("reviews", "r.csv", positive="ham").metadata["classes"] == ["spam", "ham"]


@pytest.mark.parametrize(
    ("content", "table", "message"),
    [
        (REVIEWS.replace(",pos", ",neg"), {}, "1 class ('neg'), where this task tells two apart"),
        (REVIEWS + "a dog,neutral\n", {}, "3 classes ('neg', 'neutral', 'pos')"),
        ("text,label\n" + "".join(f"a,{n}\n" for n in range(10_000)), {}, "10,000 classes ('0', '1', '10'"),
        (REVIEWS.replace(",pos", ",", 1), {}, "line 3: no label"),
        (REVIEWS.replace("text,", "review,"), {}, "line 1: no column 'text'; there are 'review', 'label'"),
        (REVIEWS.split("\n", 1)[1], {}, "line 1: no column 'text'"),
        (REVIEWS.replace(",", ";"), {}, "is the delimiter ';'?"),
        (REVIEWS.replace(" film", ", film"), {}, "line 2: 3 values where 2 are expected"),
        (REVIEWS.replace("a man", '"a man'), {}, "line 3: a quotation mark is not closed"),
        (REVIEWS.encode("utf-16"), {}, "UTF-16 text"),
        (REVIEWS.replace("film", "café").encode("cp1252"), {}, "line 2: byte 0xe9 is not utf-8"),
        ("text,label\na film,pos\n" + REVIEWS.split("\n", 1)[1].replace(",pos", ",neg"), {}, "class 'pos' has fewer"),
        (REVIEWS, {"positive": "good"}, "format.positive = 'good': the classes are neg, pos"),
    ],
)
def test_mistakes_in_reviews(ingest: Ingest, content: bytes | str, table: dict[str, Any], message: str) -> None:
    ingest.write("r.csv", content)
    assert message in error_of(ingest, "reviews", "r.csv", **table)


def test_mistakes_in_files_of_classes(ingest: Ingest) -> None:
    (ingest.folder / "empty").mkdir()
    assert "the folder is empty; give one text file a class" in error_of(ingest, "reviews", "empty")
    ingest.write("deep/pos/1.txt", "a film\n")
    assert "pos is a folder, where a file is expected" in error_of(ingest, "reviews", "deep")
    ingest.write("r.csv", REVIEWS)
    ingest.write("none.csv", "text,label\n,pos\n")
    splits = {"train": "r.csv", "test": "none.csv"}
    assert "none.csv: no example left for test" in error_of(ingest, "reviews", splits=splits)


# ── Marked terms ──────────────────────────────────────────────────────────────────────────────────────────────────────

TAGGED = "".join(f"the DT O\n{word} NN B-food\nbattery NN I-food\nis VB O\ngood JJ O\n\n" for word in WORDS)
XML = "<sentences>{}</sentences>"
SENTENCE = (
    '<sentence id="{0}"><text>the {0} is good</text><aspectTerms>'
    '<aspectTerm term="{0}" from="4" to="{1}"/></aspectTerms></sentence>'
)


def spans_of(prepared: Prepared) -> list[str]:
    found = []
    for split in ("train", "validation", "test"):
        loaded = get_task("aspects").load(
            prepared.tensors, prepared.metadata, task_module("aspects", "training.options").Options()
        )[split]
        found += [gold.text[start:end] for gold in loaded.targets for start, end in gold.spans]
    return sorted(found)


def test_columns_of_words_and_tags_give_sentences_and_terms(ingest: Ingest) -> None:
    ingest.write("t.conll", "-DOCSTART- -X- O\n\n" + TAGGED)
    prepared = ingest("aspects", "t.conll")
    assert spans_of(prepared) == sorted(f"{word} battery" for word in WORDS)
    trains("aspects", prepared)


@pytest.mark.parametrize(
    ("tags", "terms"),
    [
        ("B I O B O", ["a man", "cat"]),
        ("B E O S O", ["a man", "cat"]),
        ("I I O B B", ["a man", "cat", "plays"]),
        ("B-X L-X O U-Y O", ["a man", "cat"]),
        ("b i o b o", ["a man", "cat"]),
    ],
)
def test_ways_to_tag(ingest: Ingest, tags: str, terms: list[str]) -> None:
    from stages.tasks.aspects.ingestion import Format, read_tagged

    rows = zip(["a", "man", "dog", "cat", "plays"], tags.split(), strict=True)
    path = ingest.write("t.txt", "\n".join(f"{word}\t{tag}" for word, tag in rows))
    ((sentence,), _) = read_tagged(path, Format())
    assert sentence.text == "a man dog cat plays"
    assert [sentence.text[slice(*span)] for span in sentence.spans] == terms


def test_the_xml_of_semeval_is_read(ingest: Ingest) -> None:
    ingest.write("s.xml", XML.format("".join(SENTENCE.format(word, 4 + len(word)) for word in WORDS)))
    assert spans_of(ingest("aspects", "s.xml")) == sorted(WORDS)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.txt", TAGGED.replace("B-food", "FOOD", 1), "line 2: tag 'FOOD' is not O, B or I"),
        ("t.txt", TAGGED.replace("the DT O", "the DT O-food", 1), "line 1: tag 'O-food'"),
        ("t.txt", TAGGED.replace("the DT O", "the DT 0", 1), "line 1: tag '0' is not O, B or I"),
        ("t.txt", TAGGED.replace("is VB O", "is", 1), "line 4: one column, where a word and its tag are expected"),
        ("t.txt", TAGGED.replace("B-food", "O").replace("I-food", "O"), "no sentence has a term"),
        ("t.txt", "the O\n\ndog B\n", "the data set has fewer than 3 examples"),
        ("t.txt", "the O\n" * 3000, "one sentence of 11,999 characters; put an empty line after each"),
        ("t.txt", "-DOCSTART- O\n\n", "no sentence in the file"),
        ("t.txt", TAGGED.replace("the", "thé").encode("latin-1"), "line 1: byte 0xe9 is not utf-8"),
        ("t.txt", "", "the file is empty"),
        ("s.xml", XML.format(SENTENCE.format("dog", 7)).replace("</text>", ""), "line 1: not well-formed XML"),
        ("s.xml", XML.format(SENTENCE.format("dog", "x")), "line 1: to='x' is not an integer"),
        ("s.xml", XML.format(""), "no <sentence> with text"),
        ("s.xml", XML.format(SENTENCE.format("dog", 7)).replace(' from="4"', ""), "has no attribute 'from'"),
        ("s.xml", XML.format('<sentence id="1"/>'), "line 1: the sentence has no <text>"),
        ("s.xml", "<!DOCTYPE x>" + XML.format(SENTENCE.format("dog", 7)), "DOCTYPE"),
        ("s.xml", XML.format(SENTENCE.format("dog", 7)), "fewer than 3 examples"),
    ],
)
def test_mistakes_in_marked_terms(ingest: Ingest, name: str, content: bytes | str, message: str) -> None:
    ingest.write(name, content)
    assert message in error_of(ingest, "aspects", name)


def test_a_column_that_is_not_there_is_named(ingest: Ingest) -> None:
    ingest.write("t.txt", TAGGED)
    assert "line 1: 3 columns, and no column 5" in error_of(ingest, "aspects", "t.txt", tag=5)
    assert "count columns from 1" in error_of(ingest, "aspects", "t.txt", token=0)


# ── Images ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def draw(path: Path, color: int, size: tuple[int, int] = (40, 30)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (color, 0, 0)).save(path)


@pytest.mark.parametrize("classes", [2, 3, 12])
def test_images_of_any_number_of_classes(ingest: Ingest, classes: int) -> None:
    for kind in range(classes):
        for number in range(5):
            draw(ingest.folder / f"kind{kind:02}" / f"{number}.png", 20 * kind)
    ingest.write("kind00/notes.txt", "no image")
    ingest.write("kind00/.DS_Store", b"\x00")
    prepared = ingest("cifar10")
    assert prepared.metadata["classes"] == [f"kind{kind:02}" for kind in range(classes)]
    assert prepared.metadata["examples"] == {"train": 3 * classes, "validation": classes, "test": classes}
    assert prepared.metadata["dropped"] == {"files without images": 1}
    # An image's colour says its class.
    for split in ("train", "validation", "test"):
        images, kinds = (prepared.tensors[f"{split}.{part}"] for part in ("images", "labels"))
        assert images.shape[1:] == (32, 32, 3)
        assert (images[:, 0, 0, 0] == 20 * kinds).all()
    trains("cifar10", prepared)
    network = get_task("cifar10").build(
        "simple_cnn", task_module("cifar10", "training.options").NETWORKS["simple_cnn"](), prepared.metadata
    )
    assert network.eval()(torch.zeros(1, 3, 32, 32)).shape == (1, classes)


def test_ten_thousand_classes_are_listed_in_a_moment(ingest: Ingest, tmp_path: Path) -> None:
    """Files are named and told apart by class; labels get a type that holds them."""
    from stages.tasks.cifar10.ingestion import list_images

    draw(tmp_path / "one.png", 0)
    for kind in range(10_000):
        (ingest.folder / str(kind)).mkdir()
        (ingest.folder / str(kind) / "1.png").hardlink_to(tmp_path / "one.png")
    images, other = list_images(ingest.folder)
    assert (len({image.name for image in images}), other) == (10_000, 0)
    assert "10,000 classes ('0', '1', '10', …) have fewer than 3 examples" in error_of(ingest, "cifar10")


def test_many_classes_have_labels_that_hold_them(ingest: Ingest) -> None:
    for kind in range(300):
        draw(ingest.folder / "all" / f"{kind:03}" / "1.png", 0, (32, 32))
        draw(ingest.folder / "held-out" / f"{kind:03}" / "1.png", 0, (32, 32))
        draw(ingest.folder / "last" / f"{kind:03}" / "1.png", 0, (32, 32))
    prepared = ingest("cifar10", splits={"train": "all", "validation": "held-out", "test": "last"})
    assert prepared.tensors["test.labels"].tolist() == [*range(300)]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a/1.png": b"", "b/1.png": None}, "a/1.png: not an image, or damaged"),
        ({"a/1.png": b"\x89PNG\r\n\x1a\n", "b/1.png": None}, "a/1.png: not an image, or damaged"),
        ({"a/1.jpg": b"<html>", "b/1.png": None}, "a/1.jpg: not an image"),
        ({"1.png": None, "a/1.png": None}, "1.png: the image is in no class"),
        ({"train/a/1.png": None}, "train/a: a folder in a class's folder; if these are splits, give splits"),
        ({"a/1.png": None, "b/readme.txt": b"x"}, "b: no image for this class"),
        ({"a/1.png": None}, "one class; give at least two folders"),
        ({"readme.txt": b"x"}, "no images; give one folder of images a class"),
        ({"a/1.png": None, "b/one": None}, "class 'b' has fewer than 3 examples"),
        ({"a/1.tiff": b"II*"}, "a: no image for this class"),
    ],
)
def test_mistakes_in_folders_of_images(ingest: Ingest, files: dict[str, bytes | None], message: str) -> None:
    """None stands for three images beside each other, and a name without ending for a single one."""
    for name, content in files.items():
        path = ingest.folder / name
        if content is not None:
            ingest.write(name, content)
            draw(path.with_name("2.png"), 0)
            draw(path.with_name("3.png"), 0)
        elif not path.suffix:
            draw(path.with_suffix(".png"), 0)
        else:
            for number in range(3):
                draw(path.with_stem(str(number + 1)), 0)
    if content_only := [name for name, content in files.items() if content and not name.endswith((".png", ".jpg"))]:
        for name in content_only:
            (ingest.folder / name).with_name("2.png").unlink(missing_ok=True)
            (ingest.folder / name).with_name("3.png").unlink(missing_ok=True)
    assert message in error_of(ingest, "cifar10")


# ── Series ────────────────────────────────────────────────────────────────────────────────────────────────────────────

SERIES = "".join(",".join(str(100 + 10 * ((row + point) % 7)) for point in range(12)) + "\n" for row in range(6))


def test_series_are_scaled_and_can_be_scaled_back(ingest: Ingest) -> None:
    ingest.write("s.csv", SERIES)
    prepared = ingest("sine", "s.csv")
    assert prepared.metadata["examples"] == {"train": 4, "validation": 1, "test": 1}
    train = prepared.tensors["train"]
    assert train.mean().item() == pytest.approx(0, abs=1e-6)
    assert train.std().item() == pytest.approx(1, abs=1e-6)
    back = torch.cat([prepared.tensors[name] for name in ("train", "validation", "test")])
    rows = sorted((back * prepared.metadata["std"] + prepared.metadata["mean"]).round().int().tolist())
    assert rows == sorted([int(value) for value in line.split(",")] for line in SERIES.splitlines())
    trains("sine", prepared)


def test_a_long_series_in_a_column_is_cut_into_windows(ingest: Ingest) -> None:
    ingest.write("s.csv", "day;t\n" + "".join(f"d{day};{day % 9}\n" for day in range(95)))
    table = {"series": "columns", "header": True, "columns": ("t",), "window": 10, "delimiter": ";"}
    prepared = ingest("sine", "s.csv", **table)
    assert sum(prepared.metadata["examples"].values()) == 9
    assert prepared.metadata["dropped"] == {"points after the last window": 5}


@pytest.mark.parametrize(
    ("content", "table", "message"),
    [
        (SERIES.replace("130", "", 1), {}, "line 1: '' is not a finite number"),
        (SERIES.replace("130", "NaN", 1), {}, "line 1: 'NaN' is not a finite number"),
        (SERIES.replace("130", "13:00", 1), {}, "line 1: '13:00' is not a finite number"),
        (
            SERIES.replace(",", ";").replace("130", "13,5", 1),
            {"delimiter": ";"},
            "line 1: '13,5' is not a finite number",
        ),
        (SERIES + "1,2,3\n", {}, "line 7: 3 values, but line 1 has 12"),
        ("t,u\n" + "1,2\n" * 9, {}, "line 1: no numbers; are these names? Then give format.header"),
        (
            "t\n" + "1\n" * 90,
            {"header": True},
            "line 2: 1 points, where a series has at least 8; is it",
        ),
        ("t\n", {"header": True}, "a header and no records"),
        ("t\n1\n2\n", {"header": True, "series": "columns", "columns": ("x",)}, "line 1: no column 'x'"),
        (SERIES, {"columns": ("x",)}, "format.columns are names"),
        (SERIES, {"window": 40}, "line 1: 12 points, where a series has at least 40"),
        ("1,2,3,4,5,6,7,8\n", {}, "the data set has fewer than 3 examples"),
        ("5,5,5,5,5,5,5,5\n" * 5, {}, "all values are 5; there is nothing to learn"),
        (b"\xb5" + SERIES.encode(), {}, "line 1: byte 0xb5 is not utf-8"),
    ],
)
def test_mistakes_in_series(ingest: Ingest, content: bytes | str, table: dict[str, Any], message: str) -> None:
    ingest.write("s.csv", content)
    assert message in error_of(ingest, "sine", "s.csv", **table)


@pytest.mark.parametrize("task", ["sts", "reviews", "aspects", "sine"])
def test_a_folder_where_a_file_is_expected_and_no_file_at_all(ingest: Ingest, task: str) -> None:
    (ingest.folder / "x.csv").mkdir()
    assert re.search("is a folder|folder is empty", error_of(ingest, task, "x.csv"))
    assert "does not exist" in error_of(ingest, task, "y.csv")
