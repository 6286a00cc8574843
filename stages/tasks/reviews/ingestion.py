"""Labelled sentences of the user's own, from a table or from one file a class, to tensors."""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

from stages.lib.errors import InputError
from stages.lib.own_data.source import Source, split_examples, without_duplicates
from stages.lib.own_data.tables import Column, TableFormat, read_table, read_text
from stages.lib.task import Prepared
from stages.tasks.reviews.preparation import Settings, encode_reviews, split_words


class Format(TableFormat):
    """text, label: columns of a table · positive: the label that counts as 1; by default the last in order."""

    text: Column = "text"
    label: Column = "label"
    positive: str | None = None


class Review(NamedTuple):
    text: str
    label: str


def ingest(source: Source, format: Format, settings: Settings) -> Prepared:
    """See `encode_reviews`. Metadata also have classes (the negative one, the positive one), examples by split, and how
    many were dropped. Raises InputError, naming file and line, and where there are not two classes.
    """
    dropped: Counter[str] = Counter()
    parts = {}
    for split, path in source.files.items():
        parts[split], counts = read_class_files(path, format) if path.is_dir() else read_labelled(path, format)
        dropped.update(counts)
        if source.is_drawn:
            parts[split], dropped["duplicates"] = without_duplicates(parts[split])
    classes = order_classes({review.label for reviews in parts.values() for review in reviews}, source.path, format)
    splits = split_examples(parts, source, lambda review: review.label)
    facts = {
        "classes": classes,
        "examples": {split: len(reviews) for split, reviews in splits.items()},
        "dropped": dict(dropped),
    }
    encoded = {
        split: [(split_words(text), float(label == classes[1])) for text, label in reviews]
        for split, reviews in splits.items()
    }
    return encode_reviews(encoded, source.vectors, settings, facts)


def order_classes(labels: set[str], path: Path, format: Format) -> list[str]:
    """The negative class and the positive one. Raises InputError where there are more or fewer."""
    classes = sorted(labels)
    if len(classes) != 2:
        shown = ", ".join(repr(label[:30]) for label in classes[:5]) + (", …" if classes[5:] else "")
        raise InputError(
            f"{path}: {len(classes):,} class{'es' if len(classes) != 1 else ''} ({shown}), where this task tells two"
            " apart; keep two, or correct format.label"
        )
    if format.positive is not None and format.positive not in classes:
        raise InputError(f"{path}: format.positive = {format.positive!r}: the classes are {', '.join(classes)}")
    return classes[::-1] if format.positive == classes[0] else classes


def read_labelled(path: Path, format: Format) -> tuple[list[Review], dict[str, int]]:
    """The sentences of a table, and how many records were dropped, by reason. Raises InputError."""
    rows, blank = read_table(path, {"text": format.text, "label": format.label}, format)
    reviews = []
    for line, values in rows:
        if not values["label"]:
            raise InputError(f"{path}, line {line}: no label; give one, or remove the line")
        if split_words(values["text"]):
            reviews.append(Review(values["text"], values["label"]))
    return reviews, {"blank lines": blank, "sentences without words": len(rows) - len(reviews)}


def read_class_files(folder: Path, format: Format) -> tuple[list[Review], dict[str, int]]:
    """The sentences of a folder, one file a class and one sentence a line; a class has its file's name, without .txt.

    Raises InputError for a folder without files, and one with folders.
    """
    paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    if not paths:
        raise InputError(f"{folder}: the folder is empty; give one text file a class")
    reviews, blank, without_words = [], 0, 0
    for path in paths:
        for line in read_text(path, format.encoding).removesuffix("\n").split("\n"):
            if not line.strip():
                blank += 1
            elif split_words(line):
                reviews.append(Review(" ".join(line.split()), path.name.removesuffix(".txt")))
            else:
                without_words += 1
    return reviews, {"blank lines": blank, "sentences without words": without_words}
