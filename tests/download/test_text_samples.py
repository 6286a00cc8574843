"""The generated reviews and product sentences have what makes the real ones hard."""

from pathlib import Path

import numpy as np

from stages.download.samples import rtpolarity, semeval2014
from stages.lib.text.semeval import read_sentences


def test_product_sentences_have_what_real_files_have_and_the_same_bytes_each_time(tmp_path: Path) -> None:
    for name, seed in (("first", 0), ("again", 0), ("other", 1)):
        (tmp_path / name).mkdir()
        semeval2014.write(tmp_path / name, seed)
    files = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert len(files) == 4
    for name in files:
        content = (tmp_path / "first" / name).read_text(encoding="utf-8")
        assert (tmp_path / "again" / name).read_text(encoding="utf-8") == content
        assert (tmp_path / "other" / name).read_text(encoding="utf-8") != content
        assert "&amp;" in content
        assert "&quot;" in content
        sentences, found = read_sentences(tmp_path / "first" / name)
        assert len({sentence.text for sentence in sentences}) == len(sentences)
        terms = [[sentence.text[slice(*span)] for span in sentence.spans] for sentence in sentences]
        assert {len(term.split()) for row in terms for term in row} >= {1, 2, 3}
        # A term may occur twice in a sentence, and a sentence may have none.
        assert any(len(row) > len(set(row)) for row in terms)
        assert [] in terms
        assert found["dropped"] == []


def test_the_order_of_words_decides_whether_a_review_is_positive() -> None:
    """Of sentences that hold the same words, some are positive and some are negative."""
    random = np.random.default_rng(0)
    bags: dict[tuple[str, ...], set[str]] = {}
    for kind in ("positive", "negative"):
        for _ in range(4000):
            words = tuple(sorted(rtpolarity.sentence(kind, random).split()))
            bags.setdefault(words, set()).add(kind)
    assert sum(len(kinds) == 2 for kinds in bags.values()) > 50
