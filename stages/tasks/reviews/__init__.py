"""Review sentiment on rt-polarity (reports C and D): is a sentence about a film positive or negative?"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveInt
from torch import Tensor, nn

from stages.lib.task import Batch, Example, Prepared, Split, Task, word_places
from stages.lib.errors import InputError

FILES = {"rt-polarity.pos": 1.0, "rt-polarity.neg": 0.0}
#: Of the training half, every tenth sentence is for validation. The report has none, and trains on all of it.
VALIDATION_EVERY = 10
#: Training sentences whose accuracy is recorded beside that of the others, to show overfitting.
SEEN = 800
PADDING, UNKNOWN = 0, 1
_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

Share = Annotated[float, Field(ge=0, lt=1)]
Embeddings = Literal["fixed", "tuned", "learned"]
#: On the command line a list of one is a single value.
Sizes = Annotated[tuple[PositiveInt, ...], BeforeValidator(lambda v: [v] if isinstance(v, str) else v)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Preparation(_Strict):
    max_length: PositiveInt = 51
    #: Of each class; the first ones of the file. Where a file has no more than that, three quarters of it.
    train: PositiveInt = 4000


class Options(_Strict):
    pass


class ClassifierOptions(_Strict):
    cell: Literal["rnn", "lstm", "gru"] = "rnn"
    hidden_size: PositiveInt = 128
    layers: PositiveInt = 1
    bidirectional: bool = False
    pooling: Literal["last", "mean", "max"] = "last"
    head_sizes: Sizes = ()
    activation: Literal["sigmoid", "relu"] = "relu"
    dropout: Share = 0.0
    embeddings: Embeddings = "fixed"


class TextCNNOptions(_Strict):
    kernels: PositiveInt = 50
    kernel_width: PositiveInt = 3
    pooling: Literal["mean", "max"] = "mean"
    dropout: Share = 0.0
    embeddings: Embeddings = "fixed"


class Reviews(Split):
    """words: flat word numbers · offsets: [n + 1] where each review begins · labels: [n], 1 is positive ·
    vectors: [vocabulary, width].
    """

    def __init__(self, words: Tensor, offsets: Tensor, labels: Tensor, vectors: Tensor) -> None:
        self.words, self.labels, self.vectors = words, labels, vectors
        self.starts, self.lengths = offsets[:-1], offsets.diff()

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def targets(self) -> list[float]:
        return self.labels.tolist()

    def batch(self, index: Tensor) -> Batch:
        """Inputs: word numbers [B, T], vectors [B, T, width], T the batch's longest, and lengths [B]; target: [B]."""
        lengths = self.lengths[index]
        words, inside = word_places(self.starts[index], lengths)
        numbers = torch.where(inside, self.words[words].long(), PADDING)
        return Batch((numbers, self.vectors[numbers], lengths), self.labels[index])

    def parts(self, size: int) -> Iterator[Tensor]:
        return iter(torch.argsort(self.lengths, stable=True).split(size))


class ReviewSentiment(Task):
    data_name = {"real": "rt-polarity, GloVe 6B 50-d", "sample": "sample data (generated)"}
    Preparation = Preparation
    Options = Options
    networks = {"sentence_classifier": ClassifierOptions, "text_cnn": TextCNNOptions}
    watched = ("seen", "validation", "test")
    monitor = ("accuracy", True)
    rising = frozenset({"seen_accuracy", "validation_accuracy", "test_accuracy"})

    def prepare(self, raw: Mapping[str, Path], options: Preparation) -> Prepared:
        """Tokenize, lower-case, number, cut. Words without a vector that training has twice or more get a zero vector.

        Facts: width, vocabulary, max_length, encoding and empty lines of each file; per split the reviews, words,
        coverage (share of words that have a GloVe vector), words that are unknown, and reviews cut at max_length.
        """
        from stages.lib import text

        facts: dict[str, Any] = {"files": {}, "splits": {}}
        splits: dict[str, list[tuple[list[str], float]]] = {"train": [], "validation": [], "test": []}
        for name, label in FILES.items():
            reviews, facts["files"][name] = read_reviews(raw["corpus"] / name)
            tokens = [text.lower_case(text.tokenize(review)) for review in reviews]
            count = options.train if len(tokens) > options.train else 3 * len(tokens) // 4
            for place, words in enumerate(tokens):
                half = "train" if place % VALIDATION_EVERY else "validation"
                splits[half if place < count else "test"].append((words, label))
        counts = Counter(word for words, _ in splits["train"] for word in words)
        vocabulary = {word for reviews in splits.values() for words, _ in reviews for word in words}
        known, vectors = text.read_vectors(_vectors_file(raw["vectors"]), vocabulary)
        own = sorted(word for word, count in counts.items() if count > 1 and word not in set(known))
        number = {word: place for place, word in enumerate([*known, *own], start=UNKNOWN + 1)}
        given = torch.from_numpy(vectors)
        width = given.shape[1]
        tensors = {"vectors": torch.cat([torch.zeros(2, width), given, torch.zeros(len(own), width)])}
        with_vector = set(known)
        for name, reviews in splits.items():
            rows = [[number.get(word, UNKNOWN) for word in text.cut(words, options.max_length)] for words, _ in reviews]
            tensors[f"{name}.words"] = torch.tensor([word for row in rows for word in row], dtype=torch.int32)
            tensors[f"{name}.offsets"] = torch.tensor([0, *map(len, rows)]).cumsum(0)
            tensors[f"{name}.labels"] = torch.tensor([label for _, label in reviews])
            total = sum(len(words) for words, _ in reviews)
            facts["splits"][name] = {
                "reviews": len(reviews),
                "words": total,
                "coverage": round(sum(word in with_vector for words, _ in reviews for word in words) / total, 6),
                "unknown": sum(word not in number for words, _ in reviews for word in words),
                "truncated_reviews": sum(len(words) > options.max_length for words, _ in reviews),
            }
        facts |= {"width": width, "vocabulary": len(tensors["vectors"]), "max_length": options.max_length}
        return Prepared(tensors, facts, [*known, *own])

    def load(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], options: Options) -> dict[str, Split]:  # noqa: ARG002
        """Beside the three usual splits, "seen": some of the training reviews, evenly spread."""
        splits: dict[str, Split] = {}
        for name in ("train", "validation", "test"):
            words, offsets, labels = (tensors[f"{name}.{part}"] for part in ("words", "offsets", "labels"))
            splits[name] = Reviews(words, offsets, labels, tensors["vectors"])
        train = splits["train"]
        chosen = torch.linspace(0, len(train) - 1, min(SEEN, len(train))).long()
        splits["seen"] = seen = Reviews(train.words, tensors["train.offsets"], train.labels[chosen], train.vectors)
        seen.starts, seen.lengths = train.starts[chosen], train.lengths[chosen]
        return splits

    def example(
        self,
        given: Sequence[str],
        tensors: Mapping[str, Tensor],
        facts: Mapping[str, Any],
        words: Sequence[str],
        options: Options,  # noqa: ARG002
    ) -> Example:
        """A review, as one text or word by word, through the steps of `prepare`; only the reviews' words are known."""
        from stages.lib import text

        number = {word: place for place, word in enumerate(words, start=UNKNOWN + 1)}
        found = text.lower_case(text.tokenize(" ".join(given)))
        if not found:
            raise InputError("the review is empty; give its words, in quotation marks")
        kept = text.cut(found, facts["max_length"])
        row = torch.tensor([number.get(word, UNKNOWN) for word in kept])
        review = Reviews(row, torch.tensor([0, len(row)]), torch.zeros(1), tensors["vectors"])
        unknown = list(dict.fromkeys(word for word in kept if word not in number))
        notes = [f"not known, and read as nothing: {', '.join(unknown)}"] if unknown else []
        notes += [f"only the first {len(kept)} of {len(found)} words are read"] if len(kept) < len(found) else []
        return Example(review.batch(torch.tensor([0])), tuple(notes))

    def describe(self, prediction: float, given: Sequence[str], facts: Mapping[str, Any]) -> str:  # noqa: ARG002
        side, sure = ("positive", prediction) if prediction > 0.5 else ("negative", 1 - prediction)
        return f"{side} (probability {sure:.3f})"

    def build(self, model: str, network: BaseModel, facts: Mapping[str, Any]) -> nn.Module:
        from stages.networks.sentence_classifier import SentenceClassifier
        from stages.networks.text_cnn import TextCNN

        kinds = {"sentence_classifier": SentenceClassifier, "text_cnn": TextCNN}
        return kinds[model](facts["vocabulary"], facts["width"], **network.model_dump())

    def loss(self, network: nn.Module, batch: Batch, options: Options) -> Tensor:  # noqa: ARG002
        """Cross-entropy of two classes, written with one logit."""
        return nn.functional.binary_cross_entropy_with_logits(network(*batch.inputs), batch.target)

    def predict(self, network: nn.Module, batch: Batch) -> list[float]:
        """The probability of being positive."""
        return torch.sigmoid(network(*batch.inputs).float()).tolist()

    def metrics(self, predictions: Sequence[float], targets: Sequence[float]) -> dict[str, float]:
        """Accuracy, and the cross-entropy in nats."""
        likely, wanted = torch.tensor(predictions, dtype=torch.float64), torch.tensor(targets, dtype=torch.float64)
        return {
            "accuracy": ((likely > 0.5) == (wanted > 0.5)).double().mean().item(),
            "loss": nn.functional.binary_cross_entropy(likely, wanted).item(),
        }


def read_reviews(path: Path) -> tuple[list[str], dict[str, Any]]:
    """The reviews of a file, one a line, and its encoding and how many empty lines were left out.

    UTF-8, or latin-1 as the authors published it. Raises InputError, naming file and byte or line, for a byte that is
    text in neither, for a control character, and for a file without a review.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; run `dvc repro -f download@{path.parent.name}`") from None
    try:
        text, encoding = content.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        try:
            # What the authors call latin-1 has Windows' dashes and quotation marks in it.
            text, encoding = content.decode("cp1252"), "latin-1 (Windows-1252)"
        except UnicodeDecodeError as error:
            raise InputError(
                f"{path}, byte {error.start}: {content[error.start]:#04x} is text neither in UTF-8 nor in latin-1;"
                " fetch the file again"
            ) from None
    if found := _NO_TEXT.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise InputError(f"{path}, line {line}: the control character {found.group()!r} is no text; remove it")
    reviews = [line.strip() for line in text.removesuffix("\n").split("\n")]
    kept = [review for review in reviews if review]
    if not kept:
        raise InputError(f"{path}: the file holds no review; fetch it again")
    return kept, {"encoding": encoding, "empty_lines": len(reviews) - len(kept)}


def _vectors_file(folder: Path) -> Path:
    path = folder / "glove.6B.50d.txt"
    if not path.is_file():
        raise InputError(f"{path} is missing; run `dvc repro -f download@{folder.name}`")
    return path


TASK = ReviewSentiment()
