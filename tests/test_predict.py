"""`python -m stages.predict`: what a trained run answers to a sentence, two sentences or numbers."""

import math
import re
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from stages import predict, preprocess
from stages.lib.config import find_run
from stages.lib.files import ROOT, read_json, read_yaml, write_json
from stages.download.samples import glove, rtpolarity, sine, stsbenchmark
from stages.lib.errors import InputError

PAIR = ("A man is playing a guitar.", "A woman is slicing an onion.")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prepared sample data and networks with the weights that training begins with."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("params.yaml", "reports.yaml"):
        shutil.copy(ROOT / name, folder)
    raw = {"stsbenchmark": stsbenchmark, "glove": glove, "rtpolarity": rtpolarity, "sine": sine}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, module in raw.items():
            (folder / "data/sample/raw" / name).mkdir(parents=True)
            module.write(folder / "data/sample/raw" / name, 0)
        for task in ("sts", "reviews", "sine"):
            entry = read_yaml(ROOT / "reports.yaml")["tasks"][task]
            words = [f"--corpus={entry['corpus']}", f"--vectors={entry['vectors']}"]
            patch.setattr("sys.argv", ["preprocess", "--profile", "sample", "--task", task, *words])
            preprocess.main()
        for name in ("sts-ours", "rev-gru", "C-sine-lstm", "study"):
            run = predict.read_study() if name == "study" else find_run(name, "sample")
            (run.folder / "seed-0").mkdir(parents=True)
            torch.manual_seed(0)
            network = run.task.build(run.model, run.network, read_json(run.data / "facts.json"))
            save_file(network.state_dict(), run.folder / "seed-0" / "weights.safetensors")
            write_json(run.folder / "run.json", {"config": run.parameters()})
    return folder


def ask(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    monkeypatch.chdir(project)
    monkeypatch.setattr("sys.argv", ["predict", *words])
    predict.main()
    printed = capsys.readouterr()
    assert "sample data" in printed.err
    return printed.out


def test_a_pair_is_scored_the_same_both_ways_round_by_a_symmetric_head(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    there = ask(project, monkeypatch, capsys, "--run", "sts-ours", *PAIR)
    back = ask(project, monkeypatch, capsys, "--run", "sts-ours", *reversed(PAIR))
    assert there.splitlines()[-1] == back.splitlines()[-1]
    assert 0 <= float(re.search(r"similarity (\S+)", there).group(1)) <= 5


def test_the_study_answers_that_a_sentence_is_like_itself(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = ask(project, monkeypatch, capsys, "--run", "study", PAIR[0], PAIR[0].upper())
    # Equal states: a cosine of 1 is (1 + 1) × 2.5.
    assert float(re.search(r"similarity (\S+)", answer).group(1)) == 5


def test_long_sentences_are_cut_as_in_preparation(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for run, length, rest in (("sts-ours", 65, (PAIR[1],)), ("rev-gru", 51, ())):
        word = read_words(project, run)[0]
        note, *answer = ask(project, monkeypatch, capsys, "--run", run, f"{word} " * 80, *rest).splitlines()
        assert note == f"only the first {length} of 80 words are read"
        assert ask(project, monkeypatch, capsys, "--run", run, f"{word} " * length, *rest).splitlines() == answer


def read_words(project: Path, run: str) -> list[str]:
    """Words that the run knows, without those that a sentence would be split at."""
    folder = project / find_run(run, "sample").data
    return [word for word in (folder / "words.txt").read_text().split("\n") if word.isalpha() and len(word) > 3]


def test_what_has_no_vector_is_said(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = ask(project, monkeypatch, capsys, "--run", "sts-ours", PAIR[0], f"{PAIR[1]} xyzzyx")
    assert "left out, for want of a vector: " in answer
    assert "xyzzyx" in answer
    answer = ask(project, monkeypatch, capsys, "--run", "rev-gru", "a xyzzyx film")
    assert "not known" in answer
    assert "xyzzyx" in answer


def test_a_review_gets_a_side_and_its_probability(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = ask(project, monkeypatch, capsys, "--run", "rev-gru", "a wonderful film")
    apart = ask(project, monkeypatch, capsys, "--run", "rev-gru", "a", "wonderful", "film")
    assert whole == apart
    side, sure = re.search(r"(positive|negative) \(probability (\S+)\)", whole).groups()
    assert side in ("positive", "negative")
    assert 0.5 <= float(sure) <= 1
    answer = ask(project, monkeypatch, capsys, "--run", "rev-gru", "film " * 10_000)
    assert "only the first 51 of 10000 words" in answer


def test_numbers_are_carried_on(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wave = [f"{math.sin(point / 20):.5f}" for point in range(50)]
    apart = ask(project, monkeypatch, capsys, "--run", "C-sine-lstm", "--", *wave).split()
    assert len(apart) == 50
    assert all(math.isfinite(float(value)) for value in apart)
    assert ask(project, monkeypatch, capsys, "--run", "C-sine-lstm", "--", ",".join(wave)).split() == apart
    # The first forecast follows the last number given: another last number, another forecast.
    assert ask(project, monkeypatch, capsys, "--run", "C-sine-lstm", "--", *wave[:-1], "5").split()[0] != apart[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--run", "sts-ours", "One sentence."), "give two sentences"),
        (("--run", "sts-ours", "A man.", "..."), "no word of it has a vector"),
        (("--run", "rev-gru", " "), "the review is empty"),
        (("--run", "C-sine-lstm", "1", "nan"), "'nan' is no finite number"),
        (("--run", "C-sine-lstm", "1"), "at least two points"),
        (("--run", "rev-grus", "a film"), "near it are rev-gru"),
        (("--run", "rev-stacked", "a film"), "dvc repro train@rev-stacked"),
        (("--run", "rev-gru", "--seed", "3", "a film"), "seed-3/weights.safetensors does not exist"),
        (
            ("--run", "study", "--profile", "full", *PAIR),
            "with `profile: full` in params.yaml, `dvc repro train-study`",
        ),
    ],
)
def test_what_makes_no_sense_gets_one_line(
    project: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(project)
    monkeypatch.setattr("sys.argv", ["predict", *words])
    with pytest.raises(InputError, match=re.escape(said)) as error:
        predict.main()
    assert "\n" not in str(error.value)


def test_the_words_are_those_of_the_tensors(project: Path) -> None:
    """Line i of words.txt has the vector that the vectors' file gives that word."""
    from safetensors.torch import load_file

    given = {}
    for line in (project / "data/sample/raw/glove/glove.6B.50d.txt").read_text(encoding="utf-8").splitlines():
        word, *values = line.split(" ")
        given[word] = torch.tensor([float(value) for value in values])
    for task, first in (("sts", 1), ("reviews", 2)):
        words = (project / f"data/sample/{task}/words.txt").read_text(encoding="utf-8").split("\n")
        vectors = load_file(project / f"data/sample/{task}/tensors.safetensors")["vectors"]
        assert len(words) == len(vectors) - first
        for word, vector in zip(words, vectors[first:], strict=True):
            assert torch.equal(vector, given.get(word, torch.zeros(50))), word
