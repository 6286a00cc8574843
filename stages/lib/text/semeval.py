"""Reader of SemEval-2014 task 4 XML (Pontiki et al. 2014): sentences and the positions of their aspect terms.

A file is parsed in pieces, and a sentence's elements are freed once it is read. Nothing outside the file is fetched. A
file with a DOCTYPE, which the format does not need, is refused, so that no entity is ever expanded.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from stages.lib.errors import InputError

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

#: First and last character (exclusive) of a term in its sentence.
Span = tuple[int, int]

_CHUNK = 1 << 14
#: Elements that may begin before a sentence ends, and characters in a sentence; real ones have 20 and 500.
_MOST_ELEMENTS, _LONGEST_TEXT = 10_000, 50_000
#: Characters of an id or a term that messages show.
_SHOWN = 80
_INTEGER = re.compile(r"[+-]?[0-9]{1,9}")


class Sentence(NamedTuple):
    """spans: of its terms, sorted, without duplicates; text[start:end] is the term, up to its white space."""

    id: str
    text: str
    spans: tuple[Span, ...]


def read_sentences(path: Path) -> tuple[list[Sentence], dict[str, Any]]:
    """The sentences of a file, and a summary of what was read and repaired.

    The summary has the numbers of sentences, terms and duplicates (terms given twice at the same place), and by
    sentence id: `repaired` (the offsets did not fit the term, which was found elsewhere in the sentence), `trimmed`
    (white space at an end of the term), `dropped` (the term is not in the sentence), `empty` (sentences without text,
    left out).

    Raises InputError, naming file and line, for XML that is not well-formed or not in its declared encoding, a DOCTYPE,
    a missing attribute or text, a text of more than 50,000 characters, offsets that are not integers, and a file
    without sentences.
    """
    sentences: list[Sentence] = []
    summary: dict[str, Any] = {"duplicates": 0, "repaired": [], "trimmed": [], "dropped": [], "empty": []}
    for element in _elements(path):
        name = _attribute(element, "id", path)[:_SHOWN]
        text = _text(element, path)
        finder = TermFinder(text)
        terms = (_span(term, name, finder, path, summary) for term in element.iter("aspectTerm"))
        spans = [span for span in terms if span]
        if not text.strip():
            summary["empty"].append(name)
            continue
        kept = tuple(sorted(set(spans)))
        summary["duplicates"] += len(spans) - len(kept)
        sentences.append(Sentence(name, text, kept))
    if not sentences:
        raise InputError(f"{path}: no <sentence> with text; download the file again")
    counts = {"sentences": len(sentences), "terms": sum(len(sentence.spans) for sentence in sentences)}
    return sentences, counts | summary


class TermFinder:
    """Finds terms in a text, each different one by a single pass over it."""

    def __init__(self, text: str) -> None:
        self.text = text
        words = list(re.finditer(r"\S+", text))
        #: The text with single spaces, and the position in `text` of each of its characters.
        self._flat = " ".join(match.group() for match in words)
        self._positions = [place for match in words for place in range(match.start(), match.end() + 1)]
        #: Where no letter of a word stands before; an occurrence of whole words begins at one of these.
        self._borders = [place for place in range(len(self._flat)) if not self._in_word(place - 1)]
        self._found: dict[str, list[int]] = {}

    def locate(self, term: str, start: int, end: int) -> Span | None:
        """The span of `term`: at the given offsets, or else the nearest one; any white space matches any other.

        Occurrences as part of a longer word count only if there is no other. None if the term is not in the text.
        """
        if 0 <= start < end and self.text[start:end] == term:
            return start, end
        flat_term = " ".join(term.split())
        if flat_term not in self._found:
            self._found[flat_term] = self._occurrences(flat_term)
        occurrences = self._found[flat_term]
        if not occurrences:
            return None
        after = bisect_left(occurrences, start, key=self._positions.__getitem__)
        near = occurrences[max(after - 1, 0) : after + 1]
        first = min(near, key=lambda place: abs(self._positions[place] - start))
        return self._positions[first], self._positions[first + len(flat_term) - 1] + 1

    def _occurrences(self, term: str) -> list[int]:
        """Positions in the flat text, sorted, not overlapping; of whole words if there are any."""
        if not term:
            return []
        whole: list[int] = []
        place = self._flat.find(term)
        while place >= 0:
            follows = place + 1
            if not self._in_word(place - 1) and not self._in_word(place + len(term)):
                whole.append(place)
                follows = place + len(term)
            # From there to where a word begins; inside a long word every letter could begin another occurrence.
            border = bisect_left(self._borders, follows)
            place = self._flat.find(term, self._borders[border]) if border < len(self._borders) else -1
        return whole or [match.start() for match in re.finditer(re.escape(term), self._flat)]

    def _in_word(self, place: int) -> bool:
        letter = self._flat[place : place + 1] if place >= 0 else ""
        return letter.isalnum() or letter == "_"


def _elements(path: Path) -> Iterator["Element"]:
    """Each <sentence>, complete; its content is freed when the next one is asked for."""
    from lxml import etree

    parser = etree.XMLPullParser(
        events=("start", "end"),
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    root, begun, last = None, 0, 1
    try:
        with path.open("rb") as file:
            while piece := file.read(_CHUNK):
                parser.feed(piece)
                for event, element in parser.read_events():
                    if root is None:
                        root = element
                        if root.getroottree().docinfo.doctype:
                            raise InputError(f"{path}, line {root.sourceline}: the file has a DOCTYPE; remove it")
                    begun += event == "start"
                    last = element.sourceline
                    if event == "end" and element.tag == "sentence":
                        yield element
                        begun = 0
                        element.clear()
                        while element.getprevious() is not None:
                            del element.getparent()[0]
                    elif begun > _MOST_ELEMENTS:
                        raise InputError(
                            f"{path}, line {element.sourceline}: {begun:,} elements without a complete <sentence>;"
                            " not a file of SemEval-2014 task 4"
                        )
        parser.close()
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; run `dvc repro -f download@{path.parent.name}`") from None
    except etree.XMLSyntaxError as error:
        line, message = error.lineno, re.sub(r", line \d+, column \d+$", "", str(error.msg))
        if parser.error_log:
            # The first error; the one that is raised may be a consequence of it.
            line, message = parser.error_log[0].line, parser.error_log[0].message
        elif root is not None:
            # lxml gives no reason where it stops at an undefined entity.
            line, message = last, "an undefined entity, or a premature end"
        raise InputError(
            f"{path}, line {line or 1}: not well-formed XML ({message}); download the file again"
        ) from None


def _attribute(element: "Element", name: str, path: Path) -> str:
    value = element.get(name)
    if value is None:
        raise InputError(f"{path}, line {element.sourceline}: <{element.tag}> has no attribute {name!r}")
    return value


def _text(element: "Element", path: Path) -> str:
    found = element.find("text")
    if found is None:
        raise InputError(f"{path}, line {element.sourceline}: the sentence has no <text>")
    text = "".join(found.itertext())
    if len(text) > _LONGEST_TEXT:
        raise InputError(f"{path}, line {element.sourceline}: a sentence of {len(text):,} characters; split it")
    return text


def _span(element: "Element", name: str, finder: TermFinder, path: Path, summary: dict[str, Any]) -> Span | None:
    term, *offsets = (_attribute(element, key, path) for key in ("term", "from", "to"))
    for key, offset in zip(("from", "to"), offsets, strict=True):
        if not _INTEGER.fullmatch(offset):
            raise InputError(f"{path}, line {element.sourceline}: {key}={offset[:20]!r} is not an integer; correct it")
    start, end = map(int, offsets)
    span = finder.locate(term, start, end)
    if span is None:
        summary["dropped"].append(f"{name}: {term}")
        return None
    if span != (start, end):
        summary["repaired"].append(f"{name}: {term} {start}–{end} → {span[0]}–{span[1]}")
    found = finder.text[slice(*span)]
    if found != found.strip():
        summary["trimmed"].append(f"{name}: {term}")
        left = len(found) - len(found.lstrip())
        span = (span[0] + left, span[0] + left + len(found.strip()))
    return span
