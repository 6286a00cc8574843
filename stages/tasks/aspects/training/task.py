"""How keyword taggers are trained."""

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from typing import Any

import torch
from torch import Tensor, nn

from stages.lib.task import Batch, Split, Task
from stages.networks.layers.ragged import Ragged, length_mask
from stages.networks.sequence_tagger import SequenceTagger
from stages.tasks.aspects.training.options import Options, TaggerOptions
from stages.tasks.aspects.training.sentences import GoldSentence, Sentences, Span, keywords, term_spans
from stages.tasks.aspects.training.target_encoding import ENCODING_WIDTH, encode_targets

SPLITS = ("train", "validation", "test")


class KeywordExtraction(Task):
    """Tags the words of a sentence O, B or I, and so finds its terms."""

    data_name = {"real": "SemEval-2014 task 4, GloVe 6B 50-d", "sample": "sample data (generated)"}
    monitor = ("f1", True)
    higher_is_better = frozenset(
        f"validation_{rule}{metric}" for rule in ("", "keyword_") for metric in ("precision", "recall", "f1")
    )

    def eval_splits(self, options: Options) -> tuple[str, ...]:
        """Validation and test, and on request the training sentences."""
        return SPLITS if options.score_training else ("validation", "test")

    def load(self, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any], options: Options) -> dict[str, Split]:  # noqa: ARG002
        """Train, validation and test of a domain; with `refit`, train includes validation."""
        splits, vectors = {}, word_vectors(tensors, options)
        for split, parts in _parts(options).items():
            words = _words(tensors, options, parts)
            words["encoding"] = target_encoding(tensors, options, words["token_ids"], is_training=split == "train")
            gold = [sentence for part in parts for sentence in _gold(tensors, f"{options.domain}.{part}")]
            splits[split] = Sentences(words, vectors, tensors["characters"], gold)
        return splits

    def build(self, model: str, network: TaggerOptions, metadata: Mapping[str, Any]) -> nn.Module:  # noqa: ARG002
        """A `SequenceTagger`."""
        return SequenceTagger(metadata["vocabulary"], metadata["vector_widths"], ENCODING_WIDTH, **network.model_dump())

    def training_step(self, network: nn.Module, batch: Batch, options: Options) -> tuple[Tensor, dict[str, Tensor]]:  # noqa: ARG002
        """Negative log-likelihood of a sentence's tags (nats), averaged over the batch."""
        emissions = network(*batch.inputs)
        return network.loss(emissions, batch.target[:, :, 0], _mask(batch)), {}

    def predict(self, network: nn.Module, batch: Batch) -> list[list[Span]]:
        """Where the terms of each sentence are."""
        tags = network.decode(network(*batch.inputs), _mask(batch))
        spans = batch.target[:, :, 1:].tolist()
        return [term_spans(row, words[: len(row)]) for row, words in zip(tags, spans, strict=True)]

    def curve_metrics(self, predictions: Sequence[Sequence[Span]], targets: Sequence[GoldSentence]) -> dict[str, float]:
        """Precision, recall and F1 over all sentences: of exact spans, as in SemEval, and of the distinct keywords of a
        sentence, as in the report (keyword_…).
        """
        spans, words = Counter[str](), Counter[str]()
        for found, gold in zip(predictions, targets, strict=True):
            _count(spans, set(found), set(gold.spans))
            _count(words, keywords(gold.text, found), gold.keywords)
        return _rates(spans) | {f"keyword_{name}": value for name, value in _rates(words).items()}


def word_vectors(tensors: Mapping[str, Tensor], options: Options) -> Tensor:
    """Given vectors of the whole vocabulary [vocabulary, width]: word2vec's columns, then GloVe's."""
    return torch.cat([tensors[f"{options.domain}.{options.words}.word2vec"], tensors["glove"]], dim=1)


def target_encoding(
    tensors: Mapping[str, Tensor], options: Options, token_ids: Ragged, is_training: bool = False
) -> Ragged:
    """Target encoding of the words `token_ids`, by the labels of the training split."""
    train = _words(tensors, options, _parts(options)["train"])
    train_ids, in_term = train["token_ids"], train["tags"].values > 0
    encoding = encode_targets(
        train_ids.values.long(), train_ids.lengths, in_term, token_ids.values.long(), token_ids.lengths, is_training
    )
    return token_ids.with_values(encoding)


def _parts(options: Options) -> dict[str, tuple[str, ...]]:
    """The prepared splits that make up each split of a run."""
    if options.refit:
        return {"train": ("train", "validation"), "test": ("test",)}
    return {split: (split,) for split in SPLITS}


def _words(tensors: Mapping[str, Tensor], options: Options, parts: Sequence[str]) -> dict[str, Ragged]:
    """The words of prepared splits, one split's sentences after the other's, and what is known of each word."""
    keys = [f"{options.domain}.{options.words}.{part}" for part in parts]
    lengths = torch.cat([tensors[f"{key}.offsets"].diff() for key in keys])
    offsets = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])
    return {
        name: Ragged(torch.cat([tensors[f"{key}.{name}"] for key in keys]), offsets)
        for name in ("token_ids", "spans", "tags", "shapes", "parts_of_speech")
    }


def _gold(tensors: Mapping[str, Tensor], key: str) -> list[GoldSentence]:
    text = bytes(tensors[f"{key}.text"].numpy())
    terms = [tuple(span) for span in tensors[f"{key}.terms"].tolist()]
    text_ends, term_ends = tensors[f"{key}.text_offsets"].tolist(), tensors[f"{key}.term_offsets"].tolist()
    return [
        GoldSentence(text[text_ends[n] : text_ends[n + 1]].decode(), tuple(terms[term_ends[n] : term_ends[n + 1]]))
        for n in range(len(text_ends) - 1)
    ]


def _mask(batch: Batch) -> Tensor:
    return length_mask(batch.inputs[-1], batch.inputs[0].shape[1])


def _count(counts: "Counter[str]", found: Set[Any], gold: Set[Any]) -> None:
    counts["tp"] += len(found & gold)
    counts["fp"] += len(found - gold)
    counts["fn"] += len(gold - found)


def _rates(counts: "Counter[str]") -> dict[str, float]:
    """Precision, recall and F1; 0 where they are undefined."""
    tp, fp, fn = counts["tp"], counts["fp"], counts["fn"]
    return {
        "precision": tp / (tp + fp) if tp + fp else 0.0,
        "recall": tp / (tp + fn) if tp + fn else 0.0,
        "f1": 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else 0.0,
    }


TASK = KeywordExtraction()
