"""Sentence similarity on the STS Benchmark (report A): a Siamese LSTM scores sentence pairs from 0 to 5."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveInt
from torch import Tensor, nn

from stages.lib.task import Batch, Example, Prepared, Split, Task, word_places
from stages.lib.errors import InputError

MAX_SCORE = 5.0
SPLIT_FILES = {"train": "sts-train.csv", "validation": "sts-dev.csv", "test": "sts-test.csv"}
COLUMNS = ("genre", "file", "year", "id", "score", "sentence1", "sentence2")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Preparation(_Strict):
    max_length: PositiveInt = 65


class Options(_Strict):
    loss: Literal["mse", "pearson", "mse_pearson"] = "mse"


class SiameseLSTMOptions(_Strict):
    hidden_size: PositiveInt = 512
    layers: PositiveInt = 1
    directions: Literal["forward", "sum", "concat"] = "forward"
    pooling: Literal["last", "mean", "max"] = "last"
    head: Literal["cosine", "manhattan", "pearson", "fully_connected"] = "cosine"
    #: On the command line a list of one is a single value.
    head_sizes: Annotated[tuple[PositiveInt, ...], BeforeValidator(lambda v: [v] if isinstance(v, str) else v)] = ()
    symmetric: bool = False
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    initialization: Literal["torch", "tensorflow"] = "torch"
    alignment: bool = False
    towers: Literal["shared", "separate"] = "shared"
    input_layer: Literal["none", "normal"] = "none"
    padded_length: PositiveInt | None = None


class SentencePairs(Split):
    """Pairs as rows of word numbers; number 0 is padding and has the zero vector.

    words: flat word numbers of all sentences · offsets: [2n + 1] where each begins; sentence i and n + i are pair i ·
    scores: [n] · vectors: [vocabulary, width].
    """

    def __init__(self, words: Tensor, offsets: Tensor, scores: Tensor, vectors: Tensor) -> None:
        self.words, self.scores, self.vectors = words, scores, vectors
        self.starts = offsets[:-1]
        self.lengths = offsets.diff()

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def targets(self) -> list[float]:
        return self.scores.tolist()

    def batch(self, index: Tensor) -> Batch:
        """Inputs: vectors [2B, T, width] with T the batch's longest sentence, and lengths [2B]; target: scores [B]."""
        sentences = torch.cat([index, index + len(self)])
        lengths = self.lengths[sentences]
        words, inside = word_places(self.starts[sentences], lengths)
        numbers = torch.where(inside, self.words[words].long(), 0)
        return Batch((self.vectors[numbers], lengths), self.scores[index])

    def parts(self, size: int) -> Iterator[Tensor]:
        longest = torch.maximum(*self.lengths.chunk(2))
        return iter(torch.argsort(longest, stable=True).split(size))


class SentenceSimilarity(Task):
    data_name = {"real": "STS Benchmark, GloVe 6B 50-d", "sample": "sample data (generated)"}
    Preparation = Preparation
    Options = Options
    networks = {"siamese_lstm": SiameseLSTMOptions}
    monitor = ("pearson", True)
    rising = frozenset({"validation_pearson"})

    def prepare(self, raw: Mapping[str, Path], options: Preparation) -> Prepared:
        """Report A's steps: tokenize, lower-case, clean, drop words without a vector, look up, cut; lengths as mask.

        Facts: width, vocabulary, max_length, and per split the pairs, words, coverage (share of words that have a
        vector), dropped words with the 20 most frequent, sentences cut at max_length, and sentences left without a word
        (these keep one zero vector, so that no pair is lost).
        """
        from stages.lib import text

        splits = {name: read_pairs(_find(raw["corpus"], file)) for name, file in SPLIT_FILES.items()}
        tokens = {
            name: [text.clean(text.lower_case(text.tokenize(sentence))) for sentence in firsts + seconds]
            for name, (firsts, seconds, _) in splits.items()
        }
        vocabulary = {word for sentences in tokens.values() for words in sentences for word in words}
        words, vectors = text.read_vectors(_find(raw["vectors"], "glove.6B.50d.txt"), vocabulary)
        number = {word: place for place, word in enumerate(words, start=1)}

        tensors = {"vectors": torch.cat([torch.zeros(1, vectors.shape[1]), torch.from_numpy(vectors)])}
        facts: dict[str, Any] = {
            "width": vectors.shape[1],
            "vocabulary": len(words),
            "max_length": options.max_length,
            "splits": {},
        }
        for name, (_, _, scores) in splits.items():
            dropped: Counter[str] = Counter()
            rows, cut, empty = [], 0, 0
            for sentence in tokens[name]:
                kept, lost = text.drop_unknown(sentence, number)
                dropped.update(lost)
                cut += len(kept) > options.max_length
                empty += not kept
                rows.append([number[word] for word in text.cut(kept, options.max_length)] or [0])
            total = sum(map(len, tokens[name]))
            tensors[f"{name}.words"] = torch.tensor([word for row in rows for word in row], dtype=torch.int32)
            tensors[f"{name}.offsets"] = torch.tensor([0, *map(len, rows)]).cumsum(0)
            tensors[f"{name}.scores"] = torch.tensor(scores, dtype=torch.float32)
            facts["splits"][name] = {
                "pairs": len(scores),
                "words": total,
                "coverage": round(1 - dropped.total() / max(total, 1), 6),
                "dropped": dropped.total(),
                "most_dropped": dict(sorted(dropped.items(), key=lambda entry: (-entry[1], entry[0]))[:20]),
                "truncated_sentences": cut,
                "empty_sentences": empty,
            }
        return Prepared(tensors, facts, words)

    def load(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], options: Options) -> dict[str, Split]:  # noqa: ARG002
        return {
            name: SentencePairs(
                tensors[f"{name}.words"], tensors[f"{name}.offsets"], tensors[f"{name}.scores"], tensors["vectors"]
            )
            for name in SPLIT_FILES
        }

    def example(
        self,
        given: Sequence[str],
        tensors: Mapping[str, Tensor],
        facts: Mapping[str, Any],
        words: Sequence[str],
        options: Options,  # noqa: ARG002
    ) -> Example:
        """Two sentences, through the steps of `prepare`; only words of the three splits have a vector here."""
        from stages.lib import text

        if len(given) != 2:
            raise InputError(f"give two sentences, each in quotation marks; these are {len(given)}")
        number = {word: place for place, word in enumerate(words, start=1)}
        rows, dropped, notes = [], [], []
        for sentence in given:
            kept, lost = text.drop_unknown(text.clean(text.lower_case(text.tokenize(sentence))), number)
            if not kept:
                raise InputError(f"{sentence!r}: no word of it has a vector; try another sentence")
            read = text.cut(kept, facts["max_length"])
            rows.append([number[word] for word in read])
            dropped += lost
            if len(read) < len(kept):
                notes.append(f"only the first {len(read)} of {len(kept)} words are read")
        offsets = torch.tensor([0, *map(len, rows)]).cumsum(0)
        pair = SentencePairs(torch.tensor([*rows[0], *rows[1]]), offsets, torch.zeros(1), tensors["vectors"])
        if dropped:
            notes.append(f"left out, for want of a vector: {', '.join(dropped)}")
        return Example(pair.batch(torch.tensor([0])), tuple(notes))

    def describe(self, prediction: float, given: Sequence[str], facts: Mapping[str, Any]) -> str:  # noqa: ARG002
        return f"similarity {prediction:.2f} (0: unlike, {MAX_SCORE:.0f}: the same)"

    def build(self, model: str, network: BaseModel, facts: Mapping[str, Any]) -> nn.Module:  # noqa: ARG002
        from stages.networks.siamese_lstm import SiameseLSTM

        return SiameseLSTM(facts["width"], **network.model_dump())

    def loss(self, network: nn.Module, batch: Batch, options: Options) -> Tensor:
        return self.learn(network, batch, options)[0]

    def learn(self, network: nn.Module, batch: Batch, options: Options) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss, and the mean of ‖h₁ − h₂‖₁ over the batch."""
        states = network.encode_pairs(*batch.inputs)
        distance = (states[0] - states[1]).detach().abs().sum(1).mean()
        return self._loss(network.head(*states), batch, options), {"state_distance": distance}

    def _loss(self, scores: Tensor, batch: Batch, options: Options) -> Tensor:
        """MSE (score²), 1 − Pearson over the batch, or their sum."""
        if options.loss == "mse":
            return nn.functional.mse_loss(scores, batch.target)
        if options.loss == "pearson":
            return 1 - pearson(scores, batch.target)
        return nn.functional.mse_loss(scores, batch.target) + 1 - pearson(scores, batch.target)

    def predict(self, network: nn.Module, batch: Batch) -> list[float]:
        return network(*batch.inputs).float().tolist()

    def metrics(self, predictions: Sequence[float], targets: Sequence[float]) -> dict[str, float]:
        """MSE (score²) and Pearson's r over the whole split."""
        predicted, wanted = torch.tensor(predictions).double(), torch.tensor(targets).double()
        return {
            "mse": nn.functional.mse_loss(predicted, wanted).item(),
            "pearson": pearson(predicted, wanted).item(),
        }

    def scores(self, predictions: Sequence[float], targets: Sequence[float]) -> dict[str, float]:
        """MSE, Pearson's r and Spearman's ρ. A correlation with a constant prediction counts as 0."""
        return self.metrics(predictions, targets) | {"spearman": pearson(ranks(predictions), ranks(targets)).item()}


def pearson(first: Tensor, second: Tensor) -> Tensor:
    """Pearson's r of two vectors; 0, not NaN, where one of them is constant."""
    return nn.functional.cosine_similarity(first - first.mean(), second - second.mean(), dim=0)


def ranks(values: Sequence[float]) -> Tensor:
    """Ranks [n] from 1, equal values sharing their mean rank; importing scipy's takes longer than an evaluation."""
    _, place, count = torch.tensor(values).double().unique(return_inverse=True, return_counts=True)
    return (count.cumsum(0) - (count - 1) / 2)[place]


def read_pairs(path: Path) -> tuple[list[str], list[str], list[float]]:
    """First sentences, second sentences and scores (0–5) of an STS Benchmark file.

    Tab separated, seven columns and sometimes more, quotes literal. Raises InputError, naming file and line, for a
    missing column, a score that is no number or outside 0–5, text that is not UTF-8, and an empty file.
    """
    firsts, seconds, scores = [], [], []
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}, byte {error.start}: not UTF-8 text; fetch the file again") from None
    for place, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        fields = line.rstrip("\r").split("\t")
        if len(fields) < len(COLUMNS):
            missing = COLUMNS[len(fields)]
            raise InputError(f"{path}, line {place}: the column {missing!r} is missing; {len(COLUMNS)} are needed")
        try:
            score = float(fields[4])
        except ValueError:
            score = math.nan
        if not 0 <= score <= MAX_SCORE:
            raise InputError(
                f"{path}, line {place}: the score {fields[4]!r} is no number from 0 to 5; correct the line"
            )
        firsts.append(fields[5])
        seconds.append(fields[6])
        scores.append(score)
    if not scores:
        raise InputError(f"{path}: the file holds no sentence pair; fetch it again")
    return firsts, seconds, scores


def _find(folder: Path, name: str) -> Path:
    found = sorted(folder.rglob(name))
    if not found:
        raise InputError(f"{folder}: {name} is missing; run `dvc repro -f download@{folder.name}`")
    return found[0]


TASK = SentenceSimilarity()
