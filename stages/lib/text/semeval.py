"""Reader of SemEval-2014 task 4 XML (Pontiki et al. 2014): sentences and where in them their aspect terms stand.

A file is read piece by piece, and a sentence is forgotten once it is read. Nothing outside the file is fetched, and a
file with a DOCTYPE, which the format has no use for, is refused, so no entity of its own is ever expanded.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from stages.lib.errors import InputError

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

#: Where a term stands in a sentence: its first character, and the one behind its last.
Span = tuple[int, int]

_PIECE = 1 << 14
#: Elements that may begin before a sentence ends; more than that would fill the memory.
_MOST_ELEMENTS = 10_000
_INTEGER = re.compile(r"[+-]?[0-9]{1,9}")


class Sentence(NamedTuple):
    """spans: of its terms, in their order, none twice; text[start:end] is the term but for the white space in it."""

    id: str
    text: str
    spans: tuple[Span, ...]


def read_sentences(path: Path) -> tuple[list[Sentence], dict[str, Any]]:
    """The sentences of a file and what was found and mended on the way.

    Facts: sentences and terms kept; terms given twice at one place; and by sentence id: `repaired` (offsets that did
    not fit the term, which stands elsewhere in the sentence, but for white space), `trimmed` (white space at a term's
    edge), `dropped` (the term is nowhere in the sentence), `empty` (sentences without text, left out).

    Raises InputError, naming file and line, for XML that is not well-formed (an encoding other than the declared one
    among it), a DOCTYPE, a missing attribute or text, offsets that are no whole numbers, and a file without a sentence.
    """
    sentences: list[Sentence] = []
    facts: dict[str, Any] = {"duplicates": 0, "repaired": [], "trimmed": [], "dropped": [], "empty": []}
    for element in _elements(path):
        name = _attribute(element, "id", path)
        text = _text(element, path)
        spans = [span for term in element.iter("aspectTerm") if (span := _span(term, name, text, path, facts))]
        if not text.strip():
            facts["empty"].append(name)
            continue
        kept = tuple(sorted(set(spans)))
        facts["duplicates"] += len(spans) - len(kept)
        sentences.append(Sentence(name, text, kept))
    if not sentences:
        raise InputError(f"{path}: the file holds no <sentence> with text; fetch it again")
    counts = {"sentences": len(sentences), "terms": sum(len(sentence.spans) for sentence in sentences)}
    return sentences, counts | facts


def locate(text: str, term: str, start: int, end: int) -> Span | None:
    """Where `term` stands in `text`: at the given offsets, or else nearest to them; any white space equals any other.

    A place where the term is not part of a longer word goes before one where it is. None if it stands nowhere.
    """
    if 0 <= start < end and text[start:end] == term:
        return start, end
    words = term.split()
    if not words:
        return None
    anywhere = r"\s+".join(map(re.escape, words))
    for pattern in (rf"(?<!\w){anywhere}(?!\w)", anywhere):
        found = [match.span() for match in re.finditer(pattern, text)]
        if found:
            return min(found, key=lambda span: abs(span[0] - start))
    return None


def _elements(path: Path) -> Iterator["Element"]:
    """Each <sentence>, whole; it is emptied when the next one is asked for."""
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
            while piece := file.read(_PIECE):
                parser.feed(piece)
                for event, element in parser.read_events():
                    if root is None:
                        root = element
                        if root.getroottree().docinfo.doctype:
                            raise InputError(f"{path}, line {root.sourceline}: a DOCTYPE stands above; remove it")
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
                            f"{path}, line {element.sourceline}: {begun:,} elements without a whole <sentence>:"
                            " not a file of SemEval-2014 task 4"
                        )
        parser.close()
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; run `dvc repro -f download@{path.parent.name}`") from None
    except etree.XMLSyntaxError as error:
        line, message = error.lineno, re.sub(r", line \d+, column \d+$", "", str(error.msg))
        if parser.error_log:
            # The first fault; what is raised may be one that followed from it.
            line, message = parser.error_log[0].line, parser.error_log[0].message
        elif root is not None:
            # lxml stops without a word at an entity that no DOCTYPE defines.
            line, message = last, "an entity that is not defined, or no end"
        raise InputError(f"{path}, line {line or 1}: not well-formed XML ({message}); fetch the file again") from None


def _attribute(element: "Element", name: str, path: Path) -> str:
    value = element.get(name)
    if value is None:
        raise InputError(f"{path}, line {element.sourceline}: <{element.tag}> lacks the attribute {name!r}")
    return value


def _text(element: "Element", path: Path) -> str:
    found = element.find("text")
    if found is None:
        raise InputError(f"{path}, line {element.sourceline}: the sentence {element.get('id')} has no <text>")
    return "".join(found.itertext())


def _span(element: "Element", name: str, text: str, path: Path, facts: dict[str, Any]) -> Span | None:
    term, *offsets = (_attribute(element, key, path) for key in ("term", "from", "to"))
    for key, offset in zip(("from", "to"), offsets, strict=True):
        if not _INTEGER.fullmatch(offset):
            raise InputError(f"{path}, line {element.sourceline}: {key}={offset[:20]!r} is no whole number; correct it")
    start, end = map(int, offsets)
    span = locate(text, term, start, end)
    if span is None:
        facts["dropped"].append(f"{name}: {term}")
        return None
    if span != (start, end):
        facts["repaired"].append(f"{name}: {term} {start}–{end} → {span[0]}–{span[1]}")
    found = text[slice(*span)]
    if found != found.strip():
        facts["trimmed"].append(f"{name}: {term}")
        left = len(found) - len(found.lstrip())
        span = (span[0] + left, span[0] + left + len(found.strip()))
    return span
