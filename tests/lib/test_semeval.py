"""The XML reader of SemEval-2014 task 4: what it finds, what it repairs, and what it refuses."""

import re
import tracemalloc
from pathlib import Path

import pytest
from conftest import MIRROR
from hypothesis import given
from hypothesis import strategies as st

from stages.lib.errors import InputError
from stages.lib.text.semeval import TermFinder, read_sentences

HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
TERM = '<aspectTerm term="{}" polarity="neutral" from="{}" to="{}"/>'


def one(text: str, *terms: str, name: str = "7") -> str:
    inner = f"<aspectTerms>{''.join(terms)}</aspectTerms>" if terms else ""
    return f'<sentence id="{name}"><text>{text}</text>{inner}</sentence>'


def write(folder: Path, *sentences: str, head: str = HEAD, encoding: str = "utf-8") -> Path:
    path = folder / "file.xml"
    path.write_bytes((head + "<sentences>\n" + "\n".join(sentences) + "\n</sentences>\n").encode(encoding))
    return path


def test_entities_and_quotes_are_read_as_the_characters_they_stand_for(tmp_path: Path) -> None:
    text = "The &quot;sales&quot; team &amp; R&amp;D &lt;3 &#233;"
    path = write(tmp_path, one(text, TERM.format("&quot;sales&quot; team", 4, 16)))
    (sentence,), summary = read_sentences(path)
    assert sentence.text == 'The "sales" team & R&D <3 é'
    assert [sentence.text[slice(*span)] for span in sentence.spans] == ['"sales" team']
    assert (summary["sentences"], summary["terms"], summary["repaired"]) == (1, 1, [])


@pytest.mark.parametrize(
    ("text", "term", "offsets", "span"),
    [
        ("  the cord", "cord", (4, 8), (6, 10)),  # leading blanks not counted
        ("a  hard drive", "hard drive", (2, 12), (3, 13)),  # doubled blank before it
        ("a hard  drive", "hard drive", (2, 12), (2, 13)),  # doubled blank within it
        ("os of the macos and os", "os", (19, 21), (20, 22)),  # the nearest place that is a word
        ("the macos", "os", (0, 2), (7, 9)),  # part of a word, for want of a better place
        ("the cord", "cord", (400, 404), (4, 8)),  # out of range
        ("the cord", "cord", (-4, 0), (4, 8)),
        ("the cord", "cord", (8, 4), (4, 8)),  # the wrong way round
        ("the cord", "cable", (4, 8), None),
        ("the cord", " ", (3, 3), None),
    ],
)
def test_a_term_is_found_where_its_offsets_are_off(
    text: str, term: str, offsets: tuple[int, int], span: tuple[int, int] | None
) -> None:
    assert TermFinder(text).locate(term, *offsets) == span


def test_repairs_and_drops_are_counted_and_named(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        one("  the cord", TERM.format("cord", 4, 8), name="a"),
        one("the cord", TERM.format("cable", 4, 8), name="b"),
        one("the cord ", TERM.format("cord ", 4, 9), name="c"),
        one("the cord", TERM.format("cord", 4, 8), TERM.format("cord", 4, 8), name="d"),
        one("the cord", TERM.format("cord", 9999, 99999), name="e"),
    )
    sentences, summary = read_sentences(path)
    assert summary["repaired"] == ["a: cord 4–8 → 6–10", "e: cord 9999–99999 → 4–8"]
    assert summary["dropped"] == ["b: cable"]
    assert summary["trimmed"] == ["c: cord "]
    assert summary["duplicates"] == 1
    assert [sentence.spans for sentence in sentences] == [((6, 10),), (), ((4, 8),), ((4, 8),), ((4, 8),)]


def test_an_empty_text_is_left_out_and_named(tmp_path: Path) -> None:
    path = write(tmp_path, one("", name="none"), one("  ", TERM.format("x", 0, 1), name="blank"), one("Fine."))
    sentences, summary = read_sentences(path)
    assert [sentence.id for sentence in sentences] == ["7"]
    assert summary["empty"] == ["none", "blank"]
    assert summary["dropped"] == ["blank: x"]


BOMB = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))


@pytest.mark.parametrize(
    ("content", "line", "message_part"),
    [
        (HEAD + "<sentences><sentence id='1'><text>a</text>\n</sentences>", 3, "not well-formed"),
        (HEAD + "<sentences>\n<sentence id='1'><text>a & b</text></sentence></sentences>", 3, "not well-formed"),
        (HEAD + "<sentences>\n<sentence id='1'><text>&boom;</text></sentence></sentences>", 3, "not well-formed"),
        ("", 1, "not well-formed"),
        ("no XML at all", 1, "not well-formed"),
        (f'<!DOCTYPE s [<!ENTITY e0 "ha">{BOMB}]>\n<s>{one("&e11;")}</s>', None, ""),
        (f'<!DOCTYPE s [<!ENTITY e0 "ha">{BOMB}]>\n<s a="&e11;">{one("x")}</s>', None, ""),
        (f'<!DOCTYPE s [<!ENTITY f SYSTEM "file:///etc/hostname">]>\n<s>{one("&f;")}</s>', 2, "DOCTYPE"),
        (f'<!DOCTYPE s SYSTEM "http://127.0.0.1:9/s.dtd">\n<s>{one("x")}</s>', 2, "DOCTYPE"),
        (f"<!DOCTYPE s>\n<s>{one('x')}</s>", 2, "DOCTYPE"),
        ("<s>\n<sentence><text>x</text></sentence></s>", 2, "has no attribute 'id'"),
        ("<s>\n<sentence id='1'></sentence></s>", 2, "no <text>"),
        (f"<s>\n{one('x', '<aspectTerm from=`0` to=`1`/>')}</s>", 2, "has no attribute 'term'"),
        (f"<s>\n{one('x', '<aspectTerm term=`x` to=`1`/>')}</s>", 2, "has no attribute 'from'"),
        (f"<s>\n{one('x', '<aspectTerm term=`x` from=`0`/>')}</s>", 2, "has no attribute 'to'"),
        (f"<s>\n{one('x', TERM.format('x', 'zero', 1))}</s>", 2, "from='zero' is not an integer"),
        (f"<s>\n{one('x', TERM.format('x', 0, '1.5'))}</s>", 2, "to='1.5' is not an integer"),
        (f"<s>\n{one('x', TERM.format('x', 0, '9' * 5000))}</s>", 2, "is not an integer"),
        ("<s></s>", None, "no <sentence> with text"),
        ("<s>" + "<x/>" * 20_000 + one("x") + "</s>", 1, "without a complete <sentence>"),
        ("<s>" * 400 + "</s>" * 400, 1, "not well-formed"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_one_line(
    tmp_path: Path, content: str, line: int | None, message_part: str
) -> None:
    path = tmp_path / "file.xml"
    path.write_text(content.replace("`", '"'), encoding="utf-8")
    tracemalloc.start()
    with pytest.raises(InputError) as error:
        read_sentences(path)
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()
    message = str(error.value)
    assert message_part in message
    assert "\n" not in message
    assert message.startswith(f"{path}, line {line}: " if line else str(path))
    assert len(message) < 400


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.xml does not exist"):
        read_sentences(tmp_path / "nowhere.xml")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1"])
def test_declared_encodings_give_the_same_sentences(tmp_path: Path, encoding: str) -> None:
    head = f'<?xml version="1.0" encoding="{encoding}"?>\n'
    path = write(tmp_path, one("the naïve cord", TERM.format("naïve cord", 4, 14)), head=head, encoding=encoding)
    (sentence,), summary = read_sentences(path)
    assert sentence.text[slice(*sentence.spans[0])] == "naïve cord"
    assert not summary["repaired"]


def test_bytes_of_another_encoding_are_refused_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "file.xml"
    path.write_bytes((HEAD + f"<s>\n{one('fine é')}\n").encode() + one("naïve").encode("latin-1") + b"</s>")
    with pytest.raises(InputError, match=r"file\.xml, line 4: not well-formed XML"):
        read_sentences(path)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """What a reader keeps is text and spans; the tree of the whole file would be many times as large."""
    path = write(tmp_path, *(one(f"number {n} " + "x" * 1000, name=str(n)) for n in range(20_000)))
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sentences, _ = read_sentences(path)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert len(sentences) == 20_000
    assert grown < 3 * path.stat().st_size


def test_a_sentence_of_ten_thousand_words_is_read_whole(tmp_path: Path) -> None:
    text = "word " * 9_999 + "cord"
    (sentence,), _ = read_sentences(write(tmp_path, one(text, TERM.format("cord", len(text) - 4, len(text)))))
    assert sentence.text[slice(*sentence.spans[0])] == "cord"


def occurrences(text: str, term: str) -> list[tuple[int, int]]:
    """By regular expressions: of whole words if there are any, else anywhere."""
    anywhere = r"\s+".join(map(re.escape, term.split()))
    for pattern in (rf"(?<!\w){anywhere}(?!\w)", anywhere):
        if found := [match.span() for match in re.finditer(pattern, text)]:
            return found
    return []


@given(
    st.text(st.sampled_from("ab_ \t.é"), max_size=40),
    st.text(st.sampled_from("ab "), min_size=1, max_size=4).filter(str.strip),
    st.integers(-3, 45),
)
def test_the_nearest_occurrence_is_found(text: str, term: str, start: int) -> None:
    found = TermFinder(text).locate(term, start, start + 1)
    expected = occurrences(text, term)
    if not expected:
        assert found is None
        return
    assert " ".join(text[slice(*found)].split()) == " ".join(term.split())
    assert abs(found[0] - start) <= min(abs(first - start) for first, _ in expected)


def test_thousands_of_terms_in_one_sentence_are_found(tmp_path: Path) -> None:
    """Each with offsets that are off by one, so that each is searched for."""
    words = [f"w{number:04}" for number in range(3000)]
    terms = [TERM.format(word, 6 * place + 1, 6 * place + 6) for place, word in enumerate(words)]
    (sentence,), summary = read_sentences(write(tmp_path, one(" ".join(words), *terms)))
    assert sentence.spans == tuple((6 * place, 6 * place + 5) for place in range(3000))
    assert len(summary["repaired"]) == 3000


def test_thousands_of_long_terms_inside_one_long_word_are_found(tmp_path: Path) -> None:
    """Each letter could begin another occurrence; trying them all would take minutes."""
    terms = [TERM.format("a" * (500 + length), 1, 2) for length in range(1000)]
    (sentence,), summary = read_sentences(write(tmp_path, one("a" * 50_000, *terms)))
    assert sentence.spans == tuple((0, 500 + length) for length in range(1000))
    assert len(summary["repaired"]) == 1000


def test_a_long_id_is_not_repeated_for_every_term(tmp_path: Path) -> None:
    path = write(tmp_path, one("the cord", *[TERM.format("cable", 4, 8)] * 2000, name="x" * 1_000_000))
    tracemalloc.start()
    _, summary = read_sentences(path)
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()
    assert len(summary["dropped"]) == 2000


def test_a_sentence_of_too_many_characters_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"file\.xml, line 3: a sentence of 60,000 characters; split it"):
        read_sentences(write(tmp_path, one("x" * 60_000)))


@pytest.mark.real
@pytest.mark.skipif(not (MIRROR / "Laptop_Train_v2.xml").is_file(), reason="needs the real data in DATA_MIRROR")
@pytest.mark.parametrize(
    ("name", "sentences", "terms", "repaired"),
    [
        ("Laptop_Train_v2.xml", 3045, 2358, 9),
        ("Restaurants_Train_v2.xml", 3041, 3693, 0),
        ("Laptops_Test_Gold.xml", 800, 654, 0),
        ("Restaurants_Test_Gold.xml", 800, 1134, 0),
    ],
)
def test_the_published_counts(name: str, sentences: int, terms: int, repaired: int) -> None:
    found, summary = read_sentences(MIRROR / name)
    assert (summary["sentences"], summary["terms"], len(summary["repaired"])) == (sentences, terms, repaired)
    assert (summary["dropped"], summary["duplicates"], summary["empty"]) == ([], 0, [])
    given = re.findall(r'aspectTerm term="([^"]*)"', (MIRROR / name).read_text(encoding="utf-8"))
    words = sorted(" ".join(term.replace("&quot;", '"').replace("&amp;", "&").split()) for term in given)
    assert sorted(" ".join(s.text[slice(*span)].split()) for s in found for span in s.spans) == words
