"""rt-polarity files to token ids and word vectors."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import PositiveInt

from stages.lib.config_model import Strict
from stages.lib.errors import InputError
from stages.lib.task import Prepared
from stages.lib.text import glove, preprocessing

FILES = {"rt-polarity.pos": 1.0, "rt-polarity.neg": 0.0}
#: Every tenth of the reviews to train on is for validation. The report has no validation split and trains on all.
VALIDATION_EVERY = 10
#: Token id of <unk>; 0 is padding.
UNKNOWN = 1
_CONTROL_CHARACTER = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
#: What the report may have counted as the length of a review (C-rev-lengths).
TOKENIZATIONS: dict[str, Callable[[str], Sequence[str]]] = {
    "whitespace": str.split,
    "whitespace_without_punctuation": lambda review: [word for word in review.split() if re.search(r"\w", word)],
    "treebank": preprocessing.tokenize,
    "treebank_without_punctuation": lambda review: preprocessing.clean(preprocessing.tokenize(review)),
    "words_and_punctuation": lambda review: re.findall(r"\w+|[^\w\s]", review),
}


class Settings(Strict):
    """max_length: words after which a review is cut · train: reviews of each class to train on, from the start of its
    file; of a shorter file, three quarters.
    """

    max_length: PositiveInt = 51
    train: PositiveInt = 4000


def prepare(raw: Mapping[str, Path], settings: Settings) -> Prepared:
    """Tokenize, lower-case, map to token ids, cut. Words without a GloVe vector that occur at least twice in training
    get a zero vector of their own; all others are <unk>.

    Tensors: vectors [vocabulary, width], rows 0 and 1 (padding, <unk>) all zeros; per split token_ids [words], offsets
    [n + 1] and labels [n], 1 positive.

    Metadata: width, vocabulary, max_length; per file its encoding, empty lines, and the longest review by each of
    TOKENIZATIONS; per split the reviews, words, coverage (share of words with a GloVe vector), words mapped to <unk>
    and truncated reviews.

    Raises InputError where there are too few reviews for three splits.
    """
    files: dict[str, Any] = {}
    splits: dict[str, list[tuple[list[str], float]]] = {"train": [], "validation": [], "test": []}
    for name, label in FILES.items():
        reviews, files[name] = read_reviews(raw["corpus"] / name)
        longest = {kind: max(len(tokens(review)) for review in reviews) for kind, tokens in TOKENIZATIONS.items()}
        files[name]["longest_review"] = longest
        count = settings.train if len(reviews) > settings.train else 3 * len(reviews) // 4
        for number, review in enumerate(reviews):
            split = "test" if number >= count else "train" if number % VALIDATION_EVERY else "validation"
            splits[split].append((split_words(review), label))
    if not all(splits.values()):
        raise InputError(f"{raw['corpus']}: too few reviews for training, validation and test; add some")
    return encode_reviews(splits, raw["vectors"] / glove.FILE, settings, {"files": files})


def encode_reviews(
    splits: Mapping[str, Sequence[tuple[list[str], float]]],
    vectors_file: Path,
    settings: Settings,
    facts: Mapping[str, Any],
) -> Prepared:
    """What `prepare` says, for reviews (their words, and 1 or 0) by split; `facts` go into the metadata."""
    import torch

    metadata: dict[str, Any] = {**facts, "splits": {}}
    counts = Counter(word for words, _ in splits["train"] for word in words)
    seen = {word for reviews in splits.values() for words, _ in reviews for word in words}
    with_vector, vectors = glove.read_vectors(vectors_file, seen)
    covered = set(with_vector)
    vocabulary = [*with_vector, *sorted(word for word, count in counts.items() if count > 1 and word not in covered)]
    token_id = {word: number for number, word in enumerate(vocabulary, start=UNKNOWN + 1)}
    table = torch.zeros(len(vocabulary) + UNKNOWN + 1, vectors.shape[1])
    table[UNKNOWN + 1 : UNKNOWN + 1 + len(vectors)] = torch.from_numpy(vectors)

    tensors = {"vectors": table}
    for split, reviews in splits.items():
        rows = [
            [token_id.get(word, UNKNOWN) for word in preprocessing.cut(words, settings.max_length)]
            for words, _ in reviews
        ]
        tensors[f"{split}.token_ids"] = torch.tensor([number for row in rows for number in row], dtype=torch.int32)
        tensors[f"{split}.offsets"] = torch.tensor([0, *map(len, rows)]).cumsum(0)
        tensors[f"{split}.labels"] = torch.tensor([label for _, label in reviews])
        total = sum(len(words) for words, _ in reviews)
        metadata["splits"][split] = {
            "reviews": len(reviews),
            "words": total,
            "coverage": round(sum(word in covered for words, _ in reviews for word in words) / total, 6),
            "unknown": sum(word not in token_id for words, _ in reviews for word in words),
            "truncated_reviews": sum(len(words) > settings.max_length for words, _ in reviews),
        }
    metadata |= {"width": vectors.shape[1], "vocabulary": len(table), "max_length": settings.max_length}
    return Prepared(tensors, metadata, vocabulary)


def split_words(review: str) -> list[str]:
    """The lower-case words and punctuation marks of a review."""
    return preprocessing.lower_case(preprocessing.tokenize(review))


def read_reviews(path: Path) -> tuple[list[str], dict[str, Any]]:
    """The reviews of a file, one per line, and its encoding and number of empty lines.

    UTF-8, or latin-1 as the authors published it. Raises InputError, naming file and byte or line, for a byte that is
    text in neither, for a control character, and for a file without reviews.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; run `dvc repro -f download@{path.parent.name}`") from None
    try:
        text, encoding = content.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        try:
            # What the authors call latin-1 has the dashes and quotation marks of Windows-1252.
            text, encoding = content.decode("cp1252"), "latin-1 (Windows-1252)"
        except UnicodeDecodeError as error:
            raise InputError(
                f"{path}, byte {error.start}: {content[error.start]:#04x} is neither UTF-8 nor latin-1 text; download"
                " the file again"
            ) from None
    if found := _CONTROL_CHARACTER.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise InputError(f"{path}, line {line}: control character {found.group()!r}; remove it")
    lines = [line.strip() for line in text.removesuffix("\n").split("\n")]
    reviews = [line for line in lines if line]
    if not reviews:
        raise InputError(f"{path}: no reviews in the file; download it again")
    return reviews, {"encoding": encoding, "empty_lines": len(lines) - len(reviews)}
