"""STS Benchmark files to token ids and word vectors, in the steps of report A."""

import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import PositiveInt

from stages.lib.config_model import Strict
from stages.lib.errors import InputError
from stages.lib.task import Prepared
from stages.lib.text import glove, preprocessing

if TYPE_CHECKING:
    import pandas as pd

SPLIT_FILES = {"train": "sts-train.csv", "validation": "sts-dev.csv", "test": "sts-test.csv"}
COLUMNS = ("genre", "file", "year", "id", "score", "sentence1", "sentence2")
#: Scores go from 0, unrelated, to this, equivalent.
MAX_SIMILARITY = 5.0


class Settings(Strict):
    """max_length: words after which a sentence is cut; report A has 65."""

    max_length: PositiveInt = 65


def prepare(raw: Mapping[str, Path], settings: Settings) -> Prepared:
    """Tokenize, lower-case, clean, drop words without a vector, look vectors up, cut; keep lengths as the mask.

    Tensors: vectors [vocabulary + 1, width], row 0 is padding; per split token_ids [words of all sentences], offsets
    [2n + 1] and similarity [n]; sentences i and n + i are pair i. A sentence without a known word keeps one padding
    token, so that no pair is lost.

    Metadata: width, vocabulary, max_length; columns, see `count_columns`; per split the pairs, words, coverage (share
    of words with a vector), dropped words with the 20 most frequent, truncated sentences and sentences left empty.
    """
    import pandas as pd

    pairs = {split: read_pairs(_find(raw["corpus"], file)) for split, file in SPLIT_FILES.items()}
    facts = {"columns": count_columns(pd.concat(pairs.values()))}
    return encode_pairs(pairs, raw["vectors"] / glove.FILE, settings, facts)


def encode_pairs(
    pairs: "Mapping[str, pd.DataFrame]", vectors_file: Path, settings: Settings, facts: Mapping[str, Any]
) -> Prepared:
    """What `prepare` says, for pairs [sentence1, sentence2, score] by split; `facts` go into the metadata."""
    import torch

    tokens = {split: [split_words(s) for s in [*p["sentence1"], *p["sentence2"]]] for split, p in pairs.items()}
    seen = {word for sentences in tokens.values() for words in sentences for word in words}
    vocabulary, vectors = glove.read_vectors(vectors_file, seen)
    token_id = {word: number for number, word in enumerate(vocabulary, start=1)}

    tensors = {"vectors": torch.cat([torch.zeros(1, vectors.shape[1]), torch.from_numpy(vectors)])}
    metadata: dict[str, Any] = {
        "width": vectors.shape[1],
        "vocabulary": len(vocabulary),
        "max_length": settings.max_length,
        **facts,
        "splits": {},
    }
    for split, sentences in tokens.items():
        dropped: Counter[str] = Counter()
        rows, truncated, empty = [], 0, 0
        for words in sentences:
            known, unknown = preprocessing.drop_unknown(words, token_id)
            dropped.update(unknown)
            truncated += len(known) > settings.max_length
            empty += not known
            rows.append([token_id[word] for word in preprocessing.cut(known, settings.max_length)] or [0])
        total = sum(map(len, sentences))
        tensors[f"{split}.token_ids"] = torch.tensor([number for row in rows for number in row], dtype=torch.int32)
        tensors[f"{split}.offsets"] = torch.tensor([0, *map(len, rows)]).cumsum(0)
        tensors[f"{split}.similarity"] = torch.tensor(pairs[split]["score"].to_numpy(), dtype=torch.float32)
        metadata["splits"][split] = {
            "pairs": len(pairs[split]),
            "words": total,
            "coverage": round(1 - dropped.total() / max(total, 1), 6),
            "dropped": dropped.total(),
            "most_dropped": dict(sorted(dropped.items(), key=lambda entry: (-entry[1], entry[0]))[:20]),
            "truncated_sentences": truncated,
            "empty_sentences": empty,
        }
    return Prepared(tensors, metadata, vocabulary)


def split_words(sentence: str) -> list[str]:
    """The cleaned lower-case words of a sentence."""
    return preprocessing.clean(preprocessing.lower_case(preprocessing.tokenize(sentence)))


def count_columns(pairs: "pd.DataFrame") -> dict[str, int]:
    """How often report A's rule "the third column from the end is the score" holds, and the lines that have more than
    the seven columns (A-sts-column).
    """
    return {
        "lines": len(pairs),
        "lines_with_extra_columns": int((pairs["line_columns"] > len(COLUMNS)).sum()),
        "third_from_end_is_score": int((pairs["third_from_end"] == pairs["score_text"]).sum()),
    }


def read_pairs(path: Path) -> "pd.DataFrame":
    """The pairs of an STS Benchmark file: COLUMNS, the score as a number from 0 to 5; and of each line `score_text`,
    the number of `line_columns`, and the text `third_from_end`.

    Columns are separated by tabs, lines may have extra ones, and quotes are literal. Raises InputError, naming file and
    line, for a missing column, a score that is not a number from 0 to 5, text that is not UTF-8, and an empty file.
    """
    import pandas as pd

    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}, byte {error.start}: not UTF-8; download the file again") from None
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        fields = line.rstrip("\r").split("\t")
        if len(fields) < len(COLUMNS):
            missing = COLUMNS[len(fields)]
            raise InputError(f"{path}, line {number}: column {missing!r} is missing; a line has {len(COLUMNS)} columns")
        score = _number(fields[4])
        if not 0 <= score <= MAX_SIMILARITY:
            raise InputError(
                f"{path}, line {number}: score {fields[4]!r} is not a number from 0 to 5; correct the line"
            )
        rows.append((*fields[:4], score, *fields[5:7], fields[4], len(fields), fields[-3]))
    if not rows:
        raise InputError(f"{path}: no sentence pairs in the file; download it again")
    return pd.DataFrame(rows, columns=[*COLUMNS, "score_text", "line_columns", "third_from_end"])


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _find(folder: Path, name: str) -> Path:
    """The file of this name, at any depth: the published archive has a folder of its own."""
    found = sorted(folder.rglob(name))
    if not found:
        raise InputError(f"{folder}: {name} is missing; run `dvc repro -f download@{folder.name}`")
    return found[0]
