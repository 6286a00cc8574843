import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from stages.download.samples import Group, generator, glove, grammar, stsbenchmark
from stages.lib.files import ROOT
from stages.lib.text import preprocessing as text
from stages.lib.text.glove import read_vectors

SPLITS = {"sts-train.csv": 900, "sts-dev.csv": 150, "sts-test.csv": 150}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    stsbenchmark.write(folder, 0)
    glove.write(folder, 0)
    return folder


def rows(folder: Path) -> list[list[str]]:
    lines = [line for name in SPLITS for line in (folder / "stsbenchmark" / name).read_text().split("\n") if line]
    return [line.split("\t") for line in lines]


def test_the_same_seed_gives_the_same_bytes_in_another_process(sample: Path, tmp_path: Path) -> None:
    for dataset in ("stsbenchmark", "glove"):
        command = [sys.executable, "-m", "stages.download", "--profile", "sample", "--dataset", dataset, "--seed", "0"]
        environment = os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)}
        subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    made = {}
    for dataset in ("stsbenchmark", "glove"):
        made |= contents(tmp_path / "data/sample/raw" / dataset)
    assert made == contents(sample)


@pytest.mark.parametrize("module", [stsbenchmark, glove])
def test_another_seed_gives_other_bytes(module: object, sample: Path, tmp_path: Path) -> None:
    module.write(tmp_path, 1)
    original = contents(sample)
    data = [name for name in contents(tmp_path) if "readme" not in name]
    assert data
    for name in data:
        assert contents(tmp_path)[name] != original[name]


def test_the_pairs_have_the_real_format(sample: Path) -> None:
    for name, count in SPLITS.items():
        content = (sample / "stsbenchmark" / name).read_text(encoding="utf-8")
        assert content.endswith("\n")
        lines = content.removesuffix("\n").split("\n")
        assert len(lines) == count
        assert {len(line.split("\t")) for line in lines} == {7, 9}
    scores = np.array([float(fields[4]) for fields in rows(sample)])
    assert scores.min() >= 0
    assert scores.max() <= 5
    assert np.histogram(scores, bins=5, range=(0, 5))[0].min() > 0.05 * len(scores)


def test_no_pair_stands_twice(sample: Path) -> None:
    pairs = [tuple(fields[5:7]) for fields in rows(sample)]
    assert len(set(pairs)) == len(pairs)


def test_the_sentences_have_what_real_ones_have(sample: Path) -> None:
    sentences = [sentence for fields in rows(sample) for sentence in fields[5:7]]
    joined = " ".join(sentences)
    for part in ("middle-aged", "T-shirt", "isn't", '"', ", ", "It's"):
        assert part in joined
    assert any(sentence.count('"') == 1 for sentence in sentences)
    assert any(sentence.istitle() for sentence in sentences)
    assert not any(sentence != sentence.strip() or "  " in sentence for sentence in sentences)


def cleaned(sentence: str) -> list[str]:
    return text.clean(text.lower_case(text.tokenize(sentence)))


def test_nearly_all_words_have_vectors(sample: Path) -> None:
    tokens = [word for fields in rows(sample) for sentence in fields[5:7] for word in cleaned(sentence)]
    words, _ = read_vectors(sample / "glove.6B.50d.txt", set(tokens))
    _, dropped = text.drop_unknown(tokens, set(words))
    assert 0 < len(dropped) < 0.01 * len(tokens)
    # Whatever has no vector is a misspelling: the same letters as a word that has one.
    spelled = {"".join(sorted(word)) for word in words}
    assert all("".join(sorted(word)) in spelled for word in dropped)


def test_the_pairs_can_be_learned(sample: Path) -> None:
    """The crudest model, the cosine of the mean vectors, already follows the scores; it leaves room for better ones."""
    lines = rows(sample)
    words, vectors = read_vectors(
        sample / "glove.6B.50d.txt", {word for fields in lines for part in fields[5:7] for word in cleaned(part)}
    )
    number = {word: place for place, word in enumerate(words)}

    def means(column: int) -> NDArray[np.float32]:
        kept = ([number[word] for word in cleaned(fields[column]) if word in number] for fields in lines)
        return np.array([vectors[numbers].mean(0) for numbers in kept])

    first, second = means(5), means(6)
    cosine = (first * second).sum(1) / np.linalg.norm(first, axis=1) / np.linalg.norm(second, axis=1)
    correlation = np.corrcoef(cosine, [float(fields[4]) for fields in lines])[0, 1]
    assert 0.4 < correlation < 0.9


def test_synonyms_lie_closer_than_other_words(sample: Path) -> None:
    lexicon = [group for group in grammar.lexicon() if group.word_class != "function"]
    words, vectors = read_vectors(sample / "glove.6B.50d.txt", {word for group in lexicon for word in group.words})
    unit = dict(zip(words, vectors / np.linalg.norm(vectors, axis=1, keepdims=True), strict=True))

    def mean_cosine(pairs: list[tuple[str, str]]) -> float:
        return float(np.mean([unit[one] @ unit[other] for one, other in pairs]))

    def across(same_class: bool, same_kind: bool) -> list[tuple[str, str]]:
        return [
            (one.words[0], other.words[0])
            for one, other in itertools.combinations(lexicon, 2)
            if (one.word_class == other.word_class) == same_class
            and ((one.word_class, one.kind) == (other.word_class, other.kind)) == same_kind
        ]

    synonyms = [pair for group in lexicon for pair in itertools.combinations(group.words, 2)]
    similarity = [mean_cosine(synonyms), *(mean_cosine(across(*same)) for same in ((1, 1), (1, 0), (0, 0)))]
    assert similarity == sorted(similarity, reverse=True)
    assert similarity[0] > 0.8
    assert abs(similarity[-1]) < 0.1


def test_the_vectors_have_the_real_format(sample: Path) -> None:
    lines = (sample / "glove.6B.50d.txt").read_text(encoding="utf-8").removesuffix("\n").split("\n")
    assert 1000 < len(lines) < 5000
    assert {len(line.split(" ")) for line in lines} == {51}
    words = [line.split(" ")[0] for line in lines]
    assert len(set(words)) == len(words)
    assert all(word == word.lower() for word in words)


def test_a_further_corpus_leaves_the_vectors_of_the_others(
    sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def more() -> list[Group]:
        return [Group("noun", "film", ("airship", "zeppelin")), Group("subject", "animal", ("dog", "puppy"))]

    monkeypatch.setattr(glove, "LEXICONS", (*glove.LEXICONS, more))
    glove.write(tmp_path, 0)
    before = set((sample / "glove.6B.50d.txt").read_text().split("\n"))
    after = (tmp_path / "glove.6B.50d.txt").read_text().split("\n")
    assert [line.split(" ")[0] for line in after if line not in before] == ["airship", "zeppelin"]


def test_similarity_is_symmetric_and_full_for_equals() -> None:
    random = generator(3, "test")
    for _ in range(200):
        one, other = grammar.meaning(random), grammar.meaning(random)
        assert grammar.similarity(one, one) == pytest.approx(5)
        assert grammar.similarity(one, other) == grammar.similarity(other, one)
        assert 0 <= grammar.similarity(one, other) <= 5


def test_the_more_slots_change_the_lower_the_score() -> None:
    random = generator(4, "test")
    origins = [grammar.meaning(random) for _ in range(300)]
    means = [
        np.mean([grammar.similarity(origin, grammar.changed(origin, count, random)) for origin in origins])
        for count in range(len(grammar.SLOTS) + 1)
    ]
    assert means == sorted(means, reverse=True)
    assert means[0] - means[-1] > 3


def test_a_changed_meaning_differs_in_as_many_slots_as_asked() -> None:
    random = generator(5, "test")
    for count in range(len(grammar.SLOTS) + 1):
        origin = grammar.meaning(random)
        other = grammar.changed(origin, count, random)
        assert sum(origin.slots[slot] != other.slots[slot] for slot in grammar.SLOTS) == count
