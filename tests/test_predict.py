"""`python -m stages.predict`: what a trained run answers to a sentence, two sentences or numbers."""

import csv
import io
import math
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import BAD_IDS
from safetensors.torch import load_file, save_file

from stages import predict, preprocess
from stages.download.samples import glove, rtpolarity, sine, stsbenchmark
from stages.lib.config import find_run
from stages.lib.errors import InputError
from stages.lib.files import ROOT, read_json, write_json

PAIR = ("A man is playing a guitar.", "A woman is slicing an onion.")
RUNS = ("sts-ours", "rev-gru", "C-sine-lstm", "study")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prepared sample data, and untrained networks as if they were trained."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copy(ROOT / "params.yaml", folder)
    (folder / "full").mkdir()
    shutil.copy(ROOT / "full" / "params.yaml", folder / "full")
    shutil.copytree(ROOT / "reports", folder / "reports")
    raw = {"stsbenchmark": stsbenchmark, "glove": glove, "rtpolarity": rtpolarity, "sine": sine}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, module in raw.items():
            (folder / "data/sample/raw" / name).mkdir(parents=True)
            module.write(folder / "data/sample/raw" / name, 0)
        for task in ("sts", "reviews", "sine"):
            patch.setattr("sys.argv", ["preprocess", "--profile", "sample", "--task", task, "--corpus", "as DVC adds"])
            preprocess.main()
        for name in RUNS:
            run = find_run(name, "sample")
            (run.folder / "seed-0").mkdir(parents=True)
            torch.manual_seed(0)
            network = run.task.build(run.model, run.network, read_json(run.data / "metadata.json"))
            save_file(network.state_dict(), run.folder / "seed-0" / "weights.safetensors")
            write_json(run.folder / "run.json", {"config": run.parameters()})
    return folder


Ask = Callable[..., str]


@pytest.fixture
def ask(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Run the command in the project; returns what it prints."""

    def call(*words: str) -> str:
        monkeypatch.chdir(project)
        monkeypatch.setattr("sys.argv", ["predict", *words])
        predict.main()
        printed = capsys.readouterr()
        assert "sample data" in printed.err
        return printed.out

    return call


def number(answer: str) -> float:
    found = re.search(r"similarity (\S+)", answer)
    assert found
    return float(found.group(1))


def test_a_symmetric_head_scores_a_pair_the_same_both_ways_round(ask: Ask) -> None:
    there, back = ask("--run", "sts-ours", *PAIR), ask("--run", "sts-ours", *reversed(PAIR))
    assert number(there) == number(back)
    assert 0 <= number(there) <= 5


def test_the_answer_is_the_networks_own(ask: Ask, project: Path) -> None:
    """Three words by hand: ids by the vocabulary, vectors by the tensors, the network as it was saved."""
    words = known_words(project, "sts-ours")[:3]
    answer = number(ask("--run", "sts-ours", " ".join(words), words[0]))
    run = find_run("sts-ours", "sample")
    metadata = read_json(project / run.data / "metadata.json")
    vocabulary = (project / run.data / "vocabulary.txt").read_text(encoding="utf-8").split("\n")
    vectors = load_file(project / run.data / "tensors.safetensors")["vectors"]
    network = run.task.build(run.model, run.network, metadata).eval()
    network.load_state_dict(load_file(project / run.folder / "seed-0/weights.safetensors"))
    ids = torch.tensor([[vocabulary.index(word) + 1 for word in words], [vocabulary.index(words[0]) + 1, 0, 0]])
    with torch.no_grad():
        expected = network(vectors[ids], torch.tensor([3, 1])).item()
    assert answer == pytest.approx(expected, abs=0.00501)


def test_long_sentences_are_cut_as_in_preparation(ask: Ask, project: Path) -> None:
    for run, length, rest in (("sts-ours", 65, (PAIR[1],)), ("rev-gru", 51, ())):
        word = known_words(project, run)[0]
        note, *answer = ask("--run", run, f"{word} " * 80, *rest).splitlines()
        assert f"first {length} of 80 words" in note
        assert ask("--run", run, f"{word} " * length, *rest).splitlines() == answer


def known_words(project: Path, run: str) -> list[str]:
    """Words of the vocabulary that tokenization leaves whole."""
    folder = project / find_run(run, "sample").data
    words = (folder / "vocabulary.txt").read_text(encoding="utf-8").split("\n")
    return [word for word in words if word.isalpha() and len(word) > 3]


def test_words_outside_the_vocabulary_are_named(ask: Ask) -> None:
    (note, _) = ask("--run", "sts-ours", PAIR[0], f"{PAIR[1]} xyzzyx").splitlines()
    assert "no word vector" in note
    assert "xyzzyx" in note
    (note, _) = ask("--run", "rev-gru", "a xyzzyx film").splitlines()
    assert "out of vocabulary" in note
    assert "xyzzyx" in note


def test_a_review_gets_a_class_and_its_probability(ask: Ask) -> None:
    answer = ask("--run", "rev-gru", "a wonderful film")
    assert ask("--run", "rev-gru", "a", "wonderful", "film") == answer
    found = re.search(r"(positive|negative) \(probability (\S+)\)", answer)
    assert found
    assert 0.5 <= float(found.group(2)) <= 1


def test_numbers_are_continued(ask: Ask) -> None:
    wave = [f"{math.sin(point / 20):.5f}" for point in range(50)]
    forecast = ask("--run", "C-sine-lstm", "--", *wave).split()
    assert len(forecast) == 50
    assert all(math.isfinite(float(value)) for value in forecast)
    assert ask("--run", "C-sine-lstm", "--", ",".join(wave)).split() == forecast
    # The first forecast follows the last number given: another last number, another forecast.
    assert ask("--run", "C-sine-lstm", "--", *wave[:-1], "5").split()[0] != forecast[0]


# ── Many inputs ───────────────────────────────────────────────────────────────────────────────────────────────────────

FILMS = ["a wonderful film", "dull", "a film " * 40, "xyzzyx, a film", "not bad", "a film"]


def rows_of(printed: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(printed)))


def test_each_line_of_a_file_gets_the_answer_that_it_gets_alone(ask: Ask, tmp_path: Path) -> None:
    """Whatever else is in the batch: sentences of other lengths, in another order."""
    (tmp_path / "films.txt").write_text("\n\n".join(FILMS) + "\n", encoding="utf-8")
    rows = rows_of(ask("--run", "rev-gru", "--file", str(tmp_path / "films.txt")))
    assert [int(row["line"]) for row in rows] == [*range(1, 2 * len(FILMS), 2)]
    assert [row["review"] for row in rows] == FILMS
    for row, film in zip(rows, FILMS, strict=True):
        *notes, answer = ask("--run", "rev-gru", film).splitlines()
        assert row["note"] == "; ".join(notes)
        assert answer.startswith(f"{row['prediction']} (probability ")
        assert float(answer[:-1].rpartition(" ")[2]) == pytest.approx(float(row["probability"]), abs=0.00056)
        assert float(row["probability"]) == float(row[f"probability_{row['prediction']}"])
        assert float(row["probability_negative"]) + float(row["probability_positive"]) == pytest.approx(1, abs=2e-4)


def test_more_lines_than_a_batch_holds_keep_their_order(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predict, "BATCH_SIZE", 4)
    (tmp_path / "a").write_text("\n".join(FILMS))
    (tmp_path / "b").write_text("\n".join(reversed(FILMS)))
    rows = rows_of(ask("--run", "rev-gru", "--file", str(tmp_path / "a"), "--file", str(tmp_path / "b")))
    assert [row["review"] for row in rows] == FILMS + FILMS[::-1]
    there, back = rows[: len(FILMS)], rows[: len(FILMS) - 1 : -1]
    assert [row["probability"] for row in there] == pytest.approx([row["probability"] for row in back])


def test_pairs_on_standard_input_have_a_tab_between_them(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [PAIR, PAIR[::-1], (PAIR[0], "A man is playing a guitar on a stage for people.")]
    typed = io.TextIOWrapper(io.BytesIO("".join("\t".join(pair) + "\n" for pair in lines).encode()))
    monkeypatch.setattr("sys.stdin", typed)
    rows = rows_of(ask("--run", "sts-ours", "--file", "-"))
    assert [(row["first"], row["second"]) for row in rows] == lines
    for row, pair in zip(rows, lines, strict=True):
        assert float(row["similarity"]) == pytest.approx(number(ask("--run", "sts-ours", *pair)), abs=0.0051)


def test_series_of_different_lengths_get_forecasts_of_their_own_lengths(ask: Ask, tmp_path: Path) -> None:
    waves = [",".join(f"{math.sin(point / 20):.4f}" for point in range(count)) for count in (50, 3, 30)]
    (tmp_path / "waves.csv").write_text("\n".join(waves))
    rows = rows_of(ask("--run", "C-sine-lstm", "--file", str(tmp_path / "waves.csv")))
    for row, wave, length in zip(rows, waves, (50, 20, 30), strict=True):
        alone = [float(value) for value in ask("--run", "C-sine-lstm", "--", wave).split()]
        assert len(alone) == length
        assert [float(value) for value in row["forecast"].split()] == pytest.approx(alone, abs=2e-4)


@pytest.mark.parametrize(
    ("run", "content", "message"),
    [
        ("sts-ours", b"A man.\tA dog.\nA man.\n", "f.txt, line 2: expected two sentences"),
        ("sts-ours", b"A man.\tA dog.\nA man.\t...\n", "f.txt, line 2: '...': none of its words has a vector"),
        ("C-sine-lstm", b"1,2\n\n1,x\n", "f.txt, line 3: the sequence: 'x' is not a finite number"),
        ("rev-gru", b"a film\ncaf\xe9\n", "f.txt, line 2: byte 0xe9 is not utf-8 text"),
        ("rev-gru", b"\n", "f.txt: the file is empty"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_printed(
    ask: Ask, tmp_path: Path, capsys: pytest.CaptureFixture[str], run: str, content: bytes, message: str
) -> None:
    (tmp_path / "f.txt").write_bytes(content)
    with pytest.raises(InputError, match=re.escape(message)):
        ask("--run", run, "--file", str(tmp_path / "f.txt"))
    assert capsys.readouterr().out == ""


def test_one_way_to_give_inputs_is_chosen(ask: Ask) -> None:
    for words in ((), ("--file", "-", "a film")):
        with pytest.raises(InputError, match="either one input in words, or --file"):
            ask("--run", "rev-gru", *words)
    with pytest.raises(InputError, match=r"none\.txt does not exist"):
        ask("--run", "rev-gru", "--file", "none.txt")


# ── What makes no sense ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--run", "sts-ours", "One sentence."), "expected two sentences"),
        (("--run", "sts-ours", "A man.", "..."), "none of its words has a vector"),
        (("--run", "rev-gru", " "), "the review is empty"),
        (("--run", "C-sine-lstm", "1", "nan"), "'nan'"),
        (("--run", "C-sine-lstm", "1"), "two points"),
        (("--run", "rev-grus", "a film"), "near it are rev-gru"),
        (("--run", "rev-stacked", "a film"), "`dvc repro train@rev-stacked` trains it"),
        (("--run", "rev-gru", "--seed", "3", "a film"), "seed-3/weights.safetensors does not exist"),
        (("--run", "study", "--profile", "full", *PAIR), "`dvc repro full/dvc.yaml:train-study` trains it"),
        *((("--run", name, "a film"), "an id has letters, digits") for name in BAD_IDS.values() if name[:1] != "-"),
        (("--run=-rf", "a film"), "an id has letters, digits"),
    ],
)
def test_what_makes_no_sense_gets_one_line(ask: Ask, words: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)) as error:
        ask(*words)
    assert "\n" not in str(error.value)


def test_another_setting_than_the_trained_one_is_named(ask: Ask, project: Path) -> None:
    path = project / find_run("rev-gru", "sample").folder / "run.json"
    about: dict[str, Any] = read_json(path)
    try:
        write_json(path, {"config": about["config"] | {"lr": 0.5}})
        with pytest.raises(InputError, match=r"was trained with lr = 0\.5, now 0\.001; `dvc repro train@rev-gru`"):
            ask("--run", "rev-gru", "a film")
    finally:
        write_json(path, about)


def test_the_vocabulary_is_that_of_the_tensors(project: Path) -> None:
    """Line i of vocabulary.txt has the vector that the vectors' file gives that word."""
    given = {}
    for line in (project / "data/sample/raw/glove/glove.6B.50d.txt").read_text(encoding="utf-8").splitlines():
        word, *values = line.split(" ")
        given[word] = torch.tensor([float(value) for value in values])
    for task, first in (("sts", 1), ("reviews", 2)):
        words = (project / f"data/sample/{task}/vocabulary.txt").read_text(encoding="utf-8").split("\n")
        vectors = load_file(project / f"data/sample/{task}/tensors.safetensors")["vectors"]
        assert len(words) == len(vectors) - first
        for word, vector in zip(words, vectors[first:], strict=True):
            assert torch.equal(vector, given.get(word, torch.zeros(50))), word
