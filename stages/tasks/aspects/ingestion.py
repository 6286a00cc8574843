"""Sentences of the user's own with marked terms, from SemEval XML or token and tag columns (CoNLL), to tensors."""

from collections import Counter
from pathlib import Path
from typing import Any

from stages.lib.errors import InputError
from stages.lib.own_data.source import Source, split_examples, without_duplicates
from stages.lib.own_data.tables import TextFormat, read_text
from stages.lib.task import Prepared
from stages.lib.text import semeval
from stages.lib.text.marking import Span
from stages.lib.text.semeval import Sentence
from stages.tasks.aspects.preparation import Settings, encode_corpus

#: The tagger's options know two domains by name; own data take the place of the first, which is their default.
DOMAIN = "laptops"
FIXED_OPTIONS = {"domain": DOMAIN}
#: First letters of tags: of BIO, and of BIOES and BILOU, which also mark last words (E, L) and single ones (S, U).
BEGIN, INSIDE, OUTSIDE = "BSU", "IEL", "O"


class Format(TextFormat):
    """token, tag: columns of a tagged file, from 1, or from the end below 0 · lower case or types of terms make no
    difference.
    """

    token: int = 1
    tag: int = -1


def ingest(source: Source, format: Format, settings: Settings) -> Prepared:
    """See `encode_corpus`. Metadata also have examples by split, and how many were dropped. Raises InputError, naming
    file and line, and where training has no term.
    """
    import pandas as pd

    dropped: Counter[str] = Counter()
    parts = {}
    for split, path in source.files.items():
        read = read_xml if path.suffix.lower() == ".xml" else read_tagged
        sentences, counts = read(path, format)
        dropped.update(counts)
        parts[split] = [(sentence.text, sentence.spans) for sentence in sentences]
        if source.is_drawn:
            parts[split], dropped["duplicates"] = without_duplicates(parts[split])
    splits = split_examples(parts, source)
    if not any(spans for _, spans in splits["train"]):
        raise InputError(f"{source.files.get('train', source.path)}: no sentence has a term; there is nothing to learn")
    rows = [
        (DOMAIN, split, f"{split}-{number}", text, spans)
        for split, sentences in splits.items()
        for number, (text, spans) in enumerate(sentences)
    ]
    table = pd.DataFrame(rows, columns=["domain", "split", "id", "text", "spans"])
    facts = {"examples": {split: len(found) for split, found in splits.items()}, "dropped": dict(dropped)}
    return encode_corpus(table, (DOMAIN,), source.vectors, settings, facts)


def read_xml(path: Path, format: Format) -> tuple[list[Sentence], dict[str, int]]:  # noqa: ARG001
    """A file in the format of SemEval-2014 task 4; the file itself says its encoding."""
    if path.is_dir():
        raise InputError(f"{path} is a folder, where a file is expected")
    sentences, summary = semeval.read_sentences(path)
    reasons: dict[str, Any] = {"sentences without text": summary["empty"], "terms not in the text": summary["dropped"]}
    return sentences, {reason: len(found) for reason, found in reasons.items()}


def read_tagged(path: Path, format: Format) -> tuple[list[Sentence], dict[str, int]]:
    """A file with a word a line, white space between the columns, and an empty line after each sentence; the words of a
    sentence are put together with single spaces.

    Raises InputError, naming the line, for a column that is missing and a tag of another kind.
    """
    if format.token == 0 or format.tag == 0:
        raise InputError(f"{path}: format.token and format.tag count columns from 1, or from -1 at the end")
    sentences: list[Sentence] = []
    words: list[str] = []
    spans: list[Span] = []
    place, inside = 0, False
    for number, line in enumerate([*read_text(path, format.encoding).split("\n"), ""], start=1):
        columns = line.split()
        if not columns or columns[0] == "-DOCSTART-":
            if words:
                sentences.append(Sentence(str(number), " ".join(words), tuple(spans)))
            words, spans, place, inside = [], [], 0, False
            continue
        token, tag = (_column(columns, index, f"{path}, line {number}") for index in (format.token, format.tag))
        kind, end = tag[0].upper(), place + len(token)
        if kind not in BEGIN + INSIDE + OUTSIDE or (tag[1:] and (tag[1] not in "-_" or kind == OUTSIDE)):
            raise InputError(
                f"{path}, line {number}: tag {tag[:30]!r} is not O, B or I, or B-… or I-…; correct it, or give"
                " format.tag, the tag's column"
            )
        if kind in INSIDE and inside:
            spans[-1] = (spans[-1][0], end)
        elif kind != OUTSIDE:
            spans.append((place, end))
        words, place, inside = [*words, token], end + 1, kind != OUTSIDE
    if not sentences:
        raise InputError(f"{path}: no sentence in the file")
    if len(sentences) == 1 and len(sentences[0].text) > 10_000:
        raise InputError(f"{path}: one sentence of {len(sentences[0].text):,} characters; put an empty line after each")
    return sentences, {}


def _column(columns: list[str], index: int, where: str) -> str:
    if len(columns) < 2:
        raise InputError(f"{where}: one column, where a word and its tag are expected")
    try:
        return columns[index - 1 if index > 0 else index]
    except IndexError:
        raise InputError(
            f"{where}: {len(columns)} columns, and no column {index}; correct the line or the format"
        ) from None
