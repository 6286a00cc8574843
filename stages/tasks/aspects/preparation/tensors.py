"""SemEval-2014 files to words, BIO tags and word vectors.

Both domains, and both ways of splitting sentences into words, are prepared at once; a run's options choose.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import PositiveInt

from stages.lib.config_model import Strict
from stages.lib.errors import InputError
from stages.lib.task import Prepared
from stages.lib.text import glove, parts_of_speech, semeval, spans, word2vec
from stages.lib.text.marking import Span, mark_spans

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from torch import Tensor

#: Training and test file of each domain.
FILES = {
    "laptops": ("Laptop_Train_v2.xml", "Laptops_Test_Gold.xml"),
    "restaurants": ("Restaurants_Train_v2.xml", "Restaurants_Test_Gold.xml"),
}
SPLITS = ("train", "validation", "test")
#: Every tenth training sentence is for validation; the report trains on all of them.
VALIDATION_EVERY = 10
#: Characters of a word that are read.
WORD_LENGTH = 18
#: Of a sentence, what is noted around a term that tags lose; published sentences have up to 464 characters. A long one
#: with thousands of terms would be noted as often.
CONTEXT = 500
#: Token id of <unk>; 0 is padding.
UNKNOWN = 1
#: The words of a sentence: all of them, or the report's, jieba's segments without stop words.
TOKENIZERS: dict[str, Callable[[str], list[Span]]] = {"all": spans.tokenize, "report": spans.segment}


class Settings(Strict):
    """max_length: words after which a sentence is cut · word2vec_width, word2vec_epochs: of the vectors trained on the
    training sentences.
    """

    max_length: PositiveInt = 100
    word2vec_width: PositiveInt = 300
    word2vec_epochs: PositiveInt = 30


def prepare(raw: Mapping[str, Path], settings: Settings) -> Prepared:
    """Split sentences into words, tag the words, map them to token ids; word2vec vectors per domain, and GloVe's.

    Tensors: glove [vocabulary, width] and characters [vocabulary, WORD_LENGTH], rows 0 and 1 (padding, <unk>) all
    zeros; <domain>.<words>.word2vec [vocabulary, width]; per <domain>.<words>.<split> those of `encode_words`; per
    <domain>.<split> those of `encode_sentences`.

    Metadata: vector_widths, vocabulary, max_length; per file what the reader found and repaired (`read_sentences`); per
    <domain>.<words>.<split> the sentences, words, terms, terms by number of words, truncated sentences, the share of
    words with each kind of vector, and the terms that tags cannot represent, by reason.
    """
    sentences, files = read_corpus(raw["corpus"])
    return encode_corpus(sentences, tuple(FILES), raw["vectors"] / glove.FILE, settings, {"files": files})


def encode_corpus(
    sentences: "pd.DataFrame", domains: Sequence[str], vectors_file: Path, settings: Settings, facts: Mapping[str, Any]
) -> Prepared:
    """What `prepare` says, for sentences with the columns of `read_corpus`; `facts` go into the metadata."""
    import torch

    terms = list_terms(sentences)
    groups = {
        (domain, words, split): sentences[(sentences["domain"] == domain) & (sentences["split"] == split)]
        for domain in domains
        for words in TOKENIZERS
        for split in SPLITS
    }
    tokens = {key: [TOKENIZERS[key[1]](text) for text in group["text"]] for key, group in groups.items()}
    truncated = {key: sum(len(row) > settings.max_length for row in rows) for key, rows in tokens.items()}
    tokens = {key: [row[: settings.max_length] for row in rows] for key, rows in tokens.items()}
    spelled = {
        key: [spans.spell(text, row) for text, row in zip(group["text"], tokens[key], strict=True)]
        for key, group in groups.items()
    }
    vocabulary = sorted({word for rows in spelled.values() for row in rows for word in row})
    token_id = {word: number for number, word in enumerate(vocabulary, start=UNKNOWN + 1)}

    def table(words: Sequence[str], vectors: "np.ndarray") -> "Tensor":
        """[vocabulary, width]; words without a vector have zeros."""
        rows = torch.zeros(len(vocabulary) + UNKNOWN + 1, vectors.shape[1])
        rows[[token_id[word] for word in words]] = torch.from_numpy(vectors)
        return rows

    in_glove, vectors = glove.read_vectors(vectors_file, vocabulary)
    codes = [[0] * WORD_LENGTH] * 2 + [spans.character_codes(word, WORD_LENGTH) for word in vocabulary]
    tensors = {"glove": table(in_glove, vectors), "characters": torch.tensor(codes, dtype=torch.uint8)}
    covered = {"glove": set(in_glove)}
    for domain in domains:
        for kind in TOKENIZERS:
            trained, vectors = word2vec.train_word2vec(
                spelled[domain, kind, "train"], settings.word2vec_width, settings.word2vec_epochs
            )
            tensors[f"{domain}.{kind}.word2vec"], covered[f"{domain}.{kind}"] = table(trained, vectors), set(trained)

    metadata: dict[str, Any] = {
        "vector_widths": {"word2vec": settings.word2vec_width, "glove": tensors["glove"].shape[1]},
        "vocabulary": len(vocabulary) + UNKNOWN + 1,
        "max_length": settings.max_length,
        **facts,
        "splits": {},
    }
    for (domain, kind, split), group in groups.items():
        key, rows = f"{domain}.{kind}.{split}", spelled[domain, kind, split]
        encoded, lost = encode_words(group["text"], group["spans"], tokens[domain, kind, split], rows, token_id)
        tensors |= {f"{key}.{name}": tensor for name, tensor in encoded.items()}
        tensors |= {f"{domain}.{split}.{name}": tensor for name, tensor in encode_sentences(group).items()}
        words = [word for row in rows for word in row]
        of_group = terms[(terms["domain"] == domain) & (terms["split"] == split)]
        by_words = of_group["words"].clip(upper=3).value_counts()
        metadata["splits"][key] = {
            "sentences": len(group),
            "words": len(words),
            "terms": len(of_group),
            "terms_by_words": {name: int(by_words.get(n, 0)) for n, name in enumerate(("1", "2", "3 or more"), 1)},
            "truncated_sentences": truncated[domain, kind, split],
            "glove_coverage": _share(words, covered["glove"]),
            "word2vec_coverage": _share(words, covered[f"{domain}.{kind}"]),
            "lost_in_tags": {reason: len(marked) for reason, marked in lost.items()},
            "lost_terms": lost,
        }
    return Prepared(tensors, metadata, vocabulary)


def read_corpus(folder: Path) -> "tuple[pd.DataFrame, dict[str, Any]]":
    """All sentences in the order of the files, columns domain, split, id, text and spans (of its terms, in characters);
    and what reading found and repaired, by file. Raises InputError for a training file with a single sentence.
    """
    import pandas as pd

    rows, files = [], {}
    for domain, names in FILES.items():
        for part, name in zip(("train", "test"), names, strict=True):
            found, files[name] = semeval.read_sentences(folder / name)
            if part == "train" and len(found) < 2:
                raise InputError(f"{folder / name}: one sentence is too few for training and validation; add some")
            for number, sentence in enumerate(found):
                split = "validation" if part == "train" and number % VALIDATION_EVERY == 0 else part
                rows.append((domain, split, sentence.id, sentence.text, sentence.spans))
    return pd.DataFrame(rows, columns=["domain", "split", "id", "text", "spans"]), files


def list_terms(sentences: "pd.DataFrame") -> "pd.DataFrame":
    """One row per term: domain, split, id of its sentence, term, and its number of words."""
    import pandas as pd

    columns = ["domain", "split", "id", "term", "words"]
    # One frame of texts exploded by their terms would hold a text as often as it has terms.
    rows = [
        (domain, split, name, text[start:end], len(text[start:end].split()))
        for domain, split, name, text, spans in sentences.itertuples(index=False, name=None)
        for start, end in spans
    ]
    return pd.DataFrame(rows, columns=columns)


def encode_words(
    texts: Sequence[str],
    terms: Sequence[Sequence[Span]],
    tokens: Sequence[Sequence[Span]],
    spelled: Sequence[Sequence[str]],
    token_id: Mapping[str, int],
) -> "tuple[dict[str, Tensor], dict[str, list[str]]]":
    """The words of n sentences as tensors, and the terms that tags cannot represent, marked in their sentences, by
    reason.

    Tensors: token_ids, tags, shapes and parts_of_speech [words], spans [words, 2] in characters, offsets [n + 1]. A
    sentence without a word keeps one <unk> without characters, so that none is lost.
    """
    import torch

    lost: dict[str, list[str]] = {}
    rows: dict[str, list[Any]] = {"token_ids": [], "spans": [], "tags": [], "shapes": [], "parts_of_speech": []}
    lengths = []
    for text, of_text, places, words in zip(texts, terms, tokens, spelled, strict=True):
        tags, without_tags = spans.bio_tags(of_text, places)
        for span, reason in without_tags.items():
            lost.setdefault(reason, []).append(_marked(text, span))
        surface = [text[start:end] for start, end in places]
        rows["token_ids"] += [token_id.get(word, UNKNOWN) for word in words] or [UNKNOWN]
        rows["spans"] += places or [(0, 0)]
        rows["tags"] += tags or [spans.O]
        rows["shapes"] += [spans.shape(word) for word in surface] or [0]
        rows["parts_of_speech"] += parts_of_speech.number_parts_of_speech(
            ["".join(word.split()) for word in surface]
        ) or [0]
        lengths.append(max(len(places), 1))
    tensors = {
        name: torch.tensor(row, dtype=torch.int32 if name in ("token_ids", "spans") else torch.uint8)
        for name, row in rows.items()
    }
    return tensors | {"offsets": torch.tensor([0, *lengths]).cumsum(0)}, lost


def encode_sentences(sentences: "pd.DataFrame") -> "dict[str, Tensor]":
    """Texts (UTF-8, end to end) with text_offsets [n + 1] in bytes, and terms [terms, 2] in characters with
    term_offsets [n + 1].
    """
    import torch

    texts = [text.encode() for text in sentences["text"]]
    terms = [span for of_text in sentences["spans"] for span in of_text]
    return {
        "text": torch.frombuffer(bytearray(b"".join(texts)), dtype=torch.uint8),
        "text_offsets": torch.tensor([0, *map(len, texts)]).cumsum(0),
        "terms": torch.tensor(terms, dtype=torch.int32).reshape(-1, 2),
        "term_offsets": torch.tensor([0, *map(len, sentences["spans"])]).cumsum(0),
    }


def _marked(text: str, span: Span) -> str:
    """A term marked in its sentence, with at most CONTEXT characters before and after it."""
    first = max(span[0] - CONTEXT, 0)
    return mark_spans(text[first : span[1] + CONTEXT], [(span[0] - first, span[1] - first)])


def _share(words: Sequence[str], known: set[str]) -> float:
    return round(sum(word in known for word in words) / max(len(words), 1), 6)
