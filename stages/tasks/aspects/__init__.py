"""Keyword extraction on SemEval-2014 task 4 (report B): which aspect terms does a sentence about a product name?

A bidirectional LSTM gives each word one of the tags O, B-keyword and I-keyword, and the tags lead back to the
sentence's own characters. Both domains, laptops and restaurants, and both ways of splitting sentences into words are
prepared at once; a run's options choose.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, PositiveInt
from torch import Tensor, nn

from stages.lib.task import Batch, Example, Prepared, Split, Task
from stages.lib.errors import InputError
from stages.tasks.aspects.sentences import (
    UNKNOWN,
    Gold,
    Sentences,
    Span,
    gold_of,
    gold_tensors,
    keywords,
    mark,
    spans_of,
    tag_words,
)
from stages.tasks.aspects.target_encoding import ENCODING_WIDTH, encode_targets

#: Training and test file of each domain.
FILES = {
    "laptops": ("Laptop_Train_v2.xml", "Laptops_Test_Gold.xml"),
    "restaurants": ("Restaurants_Train_v2.xml", "Restaurants_Test_Gold.xml"),
}
SPLITS = ("train", "validation", "test")
#: Of the training sentences, every tenth is for validation; the report trains on all of them.
VALIDATION_EVERY = 10
#: Characters of a word that are looked at.
WORD_LENGTH = 18
VECTORS_FILE = "glove.6B.50d.txt"

Share = Annotated[float, Field(ge=0, lt=1)]
Route = Literal["all", "report"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Preparation(_Strict):
    """max_length: in words · word2vec_width, word2vec_epochs: of the vectors trained on the sentences."""

    max_length: PositiveInt = 100
    word2vec_width: PositiveInt = 300
    word2vec_epochs: PositiveInt = 30


class Options(_Strict):
    """words: "all" of a sentence, or the "report"'s: jieba's segments without stop words · refit: train on the
    validation sentences as well, once nothing is to be chosen any more; word2vec's vectors stay as they are.
    """

    domain: Literal["laptops", "restaurants"] = "laptops"
    words: Route = "all"
    refit: bool = False


class TaggerOptions(_Strict):
    vectors: Literal["word2vec", "glove", "both"] = "word2vec"
    embeddings: Literal["fixed", "tuned"] = "fixed"
    characters: Literal["none", "cnn", "lstm"] = "none"
    character_size: Annotated[int, Field(ge=2)] = 50
    shapes: bool = False
    parts_of_speech: bool = False
    target_encoding: bool = False
    hidden_size: PositiveInt = 512
    dropout: Share = 0.0
    input_dropout: Share | None = None
    variational: bool = False
    word_dropout: Share = 0.0
    output: Literal["crf", "softmax"] = "crf"
    forbid: bool = False
    members: PositiveInt = 1


class KeywordExtraction(Task):
    data_name = {"real": "SemEval-2014 task 4, GloVe 6B 50-d", "sample": "sample data (generated)"}
    Preparation = Preparation
    Options = Options
    networks = {"sequence_tagger": TaggerOptions}
    monitor = ("f1", True)
    rising = frozenset(
        f"{split}_{rule}{name}"
        for split in SPLITS
        for rule in ("", "keyword_")
        for name in ("precision", "recall", "f1")
    )

    def prepare(self, raw: Mapping[str, Path], options: Preparation) -> Prepared:
        """Read, split into words both ways, tag, number; word2vec of each domain's training sentences, and GloVe.

        Facts: width of each kind of vector, vocabulary, max_length; per file what reading found and mended
        (`read_sentences`); per domain, way and split the sentences, words, terms, terms of one, two and more words,
        sentences cut at max_length, the share of words with each kind of vector, and the terms that tags cannot give
        back, by reason.
        """
        from stages.lib import text
        from stages.lib.text import spans, word2vec

        facts: dict[str, Any] = {"files": {}, "splits": {}}
        tensors: dict[str, Tensor] = {}
        sentences = read_domains(raw["corpus"], facts["files"])
        ways = {"all": spans.tokenize, "report": spans.segment}
        tokens = {
            (domain, way, split): [split_words(sentence.text) for sentence in sentences[domain][split]]
            for domain in FILES
            for way, split_words in ways.items()
            for split in SPLITS
        }
        spelled = {
            key: [
                spans.spell(sentence.text, row)[: options.max_length]
                for sentence, row in zip(sentences[key[0]][key[2]], rows, strict=True)
            ]
            for key, rows in tokens.items()
        }
        vocabulary = sorted({word for rows in spelled.values() for row in rows for word in row})
        number = {word: place for place, word in enumerate(vocabulary, start=UNKNOWN + 1)}
        known: dict[str, set[str]] = {}

        def table(words: Sequence[str], vectors: Any) -> Tensor:
            """[vocabulary, width]; words without a vector have zeros."""
            rows = torch.zeros(len(vocabulary) + UNKNOWN + 1, vectors.shape[1])
            rows[[number[word] for word in words]] = torch.from_numpy(vectors)
            return rows

        found, vectors = text.read_vectors(_vectors_file(raw["vectors"]), vocabulary)
        tensors["glove"], glove = table(found, vectors), set(found)
        for domain in FILES:
            for way in ways:
                own, vectors = word2vec.train_word2vec(
                    spelled[domain, way, "train"], options.word2vec_width, options.word2vec_epochs
                )
                tensors[f"{domain}.{way}.word2vec"], known[f"{domain}.{way}"] = table(own, vectors), set(own)
        tensors["characters"] = torch.tensor(
            [[0] * WORD_LENGTH] * 2 + [spans.character_codes(word, WORD_LENGTH) for word in vocabulary]
        ).byte()
        for (domain, way, split), rows in tokens.items():
            key = f"{domain}.{way}.{split}"
            cut = [row[: options.max_length] for row in rows]
            made, lost = tag_words(sentences[domain][split], cut, spelled[domain, way, split], number)
            tensors |= {f"{key}.{name}": tensor for name, tensor in made.items()}
            words = [word for row in spelled[domain, way, split] for word in row]
            terms = [s.text[slice(*span)].split() for s in sentences[domain][split] for span in s.spans]
            lengths = Counter(min(len(term), 3) for term in terms)
            facts["splits"][key] = {
                "sentences": len(rows),
                "words": len(words),
                "terms": len(terms),
                "terms_by_words": {"1": lengths[1], "2": lengths[2], "3 or more": lengths[3]},
                "truncated_sentences": sum(len(row) > options.max_length for row in rows),
                "glove_coverage": round(sum(word in glove for word in words) / max(len(words), 1), 6),
                "word2vec_coverage": round(
                    sum(word in known[f"{domain}.{way}"] for word in words) / max(len(words), 1), 6
                ),
                "lost_in_tags": {reason: len(those) for reason, those in lost.items()},
                "lost_terms": lost,
            }
        for domain, splits in sentences.items():
            for split, those in splits.items():
                tensors |= {f"{domain}.{split}.{name}": tensor for name, tensor in gold_tensors(those).items()}
        widths = {"word2vec": options.word2vec_width, "glove": tensors["glove"].shape[1]}
        facts |= {"widths": widths, "vocabulary": len(vocabulary) + UNKNOWN + 1, "max_length": options.max_length}
        return Prepared(tensors, facts, vocabulary)

    def load(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], options: Options) -> dict[str, Split]:  # noqa: ARG002
        splits, vectors = {}, _vectors(tensors, options)
        for name, prepared in _prepared_splits(options).items():
            parts = _parts(tensors, options, prepared)
            parts["encoding"] = _encoding(tensors, options, parts, is_training=name == "train")
            gold = [sentence for split in prepared for sentence in gold_of(tensors, f"{options.domain}.{split}")]
            splits[name] = Sentences(parts, vectors, tensors["characters"], gold)
        return splits

    def build(self, model: str, network: BaseModel, facts: Mapping[str, Any]) -> nn.Module:  # noqa: ARG002
        from stages.networks.sequence_tagger import SequenceTagger

        return SequenceTagger(facts["vocabulary"], facts["widths"], ENCODING_WIDTH, **network.model_dump())

    def loss(self, network: nn.Module, batch: Batch, options: Options) -> Tensor:  # noqa: ARG002
        """Negative log-likelihood of a sentence's tags (nats), averaged over the batch."""
        scores = network(*batch.inputs)
        return network.loss(scores, batch.target[:, :, 0], _mask(batch))

    def predict(self, network: nn.Module, batch: Batch) -> list[list[Span]]:
        """Where each sentence's terms stand, in characters. A sentence without a word has none."""
        rows = network.decode(network(*batch.inputs), _mask(batch))
        places = batch.target[:, :, 1:].tolist()
        return [spans_of(tags, words[: len(tags)]) for tags, words in zip(rows, places, strict=True)]

    def metrics(self, predictions: Sequence[Sequence[Span]], targets: Sequence[Gold]) -> dict[str, float]:
        """Precision, recall and F1 over all sentences, by SemEval's rule (a term counts where its characters are found
        exactly) and by the report's (`keyword_`: the distinct terms of a sentence, wherever they stand).
        """
        spans, words = Counter[str](), Counter[str]()
        for found, gold in zip(predictions, targets, strict=True):
            _count(spans, set(found), set(gold.spans))
            _count(words, keywords(gold.text, found), gold.keywords)
        return _scores(spans) | {f"keyword_{name}": value for name, value in _scores(words).items()}

    def scores(self, predictions: Sequence[Sequence[Span]], targets: Sequence[Gold]) -> dict[str, float]:
        """The metrics; by SemEval's rule also those of terms of one word, of two, and of three or more."""
        made = self.metrics(predictions, targets)
        for name, least, most in (("one_word", 1, 1), ("two_words", 2, 2), ("three_words_or_more", 3, 10_000)):
            counts = Counter[str]()
            for found, gold in zip(predictions, targets, strict=True):
                chosen = [
                    {span for span in spans if least <= len(gold.text[slice(*span)].split()) <= most}
                    for spans in (found, gold.spans)
                ]
                _count(counts, *chosen)
            made |= {f"{part}_{name}": value for part, value in _scores(counts).items()}
        return made

    def example(
        self,
        given: Sequence[str],
        tensors: Mapping[str, Tensor],
        facts: Mapping[str, Any],
        words: Sequence[str],
        options: Options,
    ) -> Example:
        """A sentence, as one text or word by word, through the steps of `prepare`."""
        from stages.lib.text import spans

        sentence = " ".join(given)
        found = spans.tokenize(sentence) if options.words == "all" else spans.segment(sentence)
        if not sentence.strip():
            raise InputError("the sentence is empty; give its words, in quotation marks")
        tokens = found[: facts["max_length"]]
        spelled = spans.spell(sentence, tokens)
        number = {word: place for place, word in enumerate(words, start=UNKNOWN + 1)}
        parts, _ = tag_words([Gold(sentence, ())], [tokens], [spelled], number)
        parts["encoding"] = _encoding(tensors, options, parts)
        split = Sentences(parts, _vectors(tensors, options), tensors["characters"], [Gold(sentence, ())])
        unknown = list(dict.fromkeys(word for word in spelled if word not in number))
        notes = [f"not known, and read as nothing: {', '.join(unknown)}"] if unknown else []
        notes += [f"only the first {len(tokens)} of {len(found)} words are read"] if len(tokens) < len(found) else []
        return Example(split.batch(torch.tensor([0])), tuple(notes))

    def describe(self, prediction: Sequence[Span], given: Sequence[str], facts: Mapping[str, Any]) -> str:  # noqa: ARG002
        """The distinct keywords, in the order in which they come, and the sentence with all of them marked."""
        sentence = " ".join(given)
        if not prediction:
            return f"no keyword: {sentence}"
        distinct = dict.fromkeys(" ".join(sentence[start:end].split()) for start, end in prediction)
        return f"keywords: {', '.join(distinct)}\n{mark(sentence, prediction)}"


def _count(counts: "Counter[str]", found: Any, wanted: Any) -> None:
    counts["right"] += len(found & wanted)
    counts["found"] += len(found)
    counts["wanted"] += len(wanted)


def _scores(counts: "Counter[str]") -> dict[str, float]:
    """Precision, recall, F1 (Van Rijsbergen 1979); 0 where nothing was found or is to be found."""
    right, found, wanted = counts["right"], counts["found"], counts["wanted"]
    return {
        "precision": right / found if found else 0.0,
        "recall": right / wanted if wanted else 0.0,
        "f1": 2 * right / (found + wanted) if found + wanted else 0.0,
    }


def _mask(batch: Batch) -> Tensor:
    lengths = batch.inputs[-1]
    return torch.arange(batch.inputs[0].shape[1], device=lengths.device) < lengths.unsqueeze(1)


def read_domains(folder: Path, facts: dict[str, Any]) -> dict[str, dict[str, list[Any]]]:
    """The sentences of each domain and split; what reading found goes into `facts`, by file."""
    from stages.lib.text.semeval import read_sentences

    domains = {}
    for domain, (train_file, test_file) in FILES.items():
        train, facts[train_file] = read_sentences(folder / train_file)
        test, facts[test_file] = read_sentences(folder / test_file)
        domains[domain] = {
            "train": [sentence for place, sentence in enumerate(train) if place % VALIDATION_EVERY],
            "validation": train[::VALIDATION_EVERY],
            "test": test,
        }
    return domains


def _prepared_splits(options: Options) -> dict[str, tuple[str, ...]]:
    """Which of the prepared splits make up each split that a run sees."""
    if options.refit:
        return {"train": ("train", "validation"), "test": ("test",)}
    return {split: (split,) for split in SPLITS}


def _parts(tensors: Mapping[str, Tensor], options: Options, prepared: Sequence[str]) -> dict[str, Tensor]:
    """The words of prepared splits and what is known of each, one split's sentences after the other's."""
    keys = [f"{options.domain}.{options.words}.{split}" for split in prepared]
    names = ("words", "spans", "tags", "shapes", "parts_of_speech")
    lengths = torch.cat([tensors[f"{key}.offsets"].diff() for key in keys])
    offsets = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])
    return {name: torch.cat([tensors[f"{key}.{name}"] for key in keys]) for name in names} | {"offsets": offsets}


def _vectors(tensors: Mapping[str, Tensor], options: Options) -> Tensor:
    """The given vectors of all words [vocabulary, width]: word2vec's, then GloVe's."""
    return torch.cat([tensors[f"{options.domain}.{options.words}.word2vec"], tensors["glove"]], dim=1)


def _encoding(
    tensors: Mapping[str, Tensor], options: Options, parts: Mapping[str, Tensor], is_training: bool = False
) -> Tensor:
    """The target encoding [words, ENCODING_WIDTH] of a split, by the labels of the training split."""
    known = _parts(tensors, options, _prepared_splits(options)["train"])
    words, lengths, inside = known["words"].long(), known["offsets"].diff(), known["tags"] > 0
    asked, asked_lengths = parts["words"].long(), parts["offsets"].diff()
    return encode_targets(words, lengths, inside, asked, asked_lengths, is_training)


def _vectors_file(folder: Path) -> Path:
    path = folder / VECTORS_FILE
    if not path.is_file():
        raise InputError(f"{path} is missing; run `dvc repro -f download@{folder.name}`")
    return path


TASK = KeywordExtraction()
