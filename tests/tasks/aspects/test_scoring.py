"""Scores of terms against seqeval and by hand; outcomes against scores."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics import f1_score, precision_score, recall_score

from stages.lib.text.marking import read_spans
from stages.tasks.aspects import scoring
from stages.tasks.aspects.training.sentences import GoldSentence, Span, term_spans
from stages.tasks.aspects.training.task import TASK

NAMES = ("O", "B-keyword", "I-keyword")
#: Sentences of words with an annotated and a predicted tag each.
TAGGED = st.lists(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=8), min_size=1, max_size=6
)

quick = settings(max_examples=30, deadline=None)


def terms_of(rows: list[list[tuple[int, int]]]) -> tuple[list[list[Span]], list[GoldSentence]]:
    """Predictions and sentences of one-letter words, a few of which occur again."""
    predictions, sentences = [], []
    for row in rows:
        words = [(2 * number, 2 * number + 1) for number in range(len(row))]
        text = " ".join("abcab"[number % 5] for number in range(len(row)))
        sentences.append(GoldSentence(text, tuple(term_spans([gold for gold, _ in row], words))))
        predictions.append(term_spans([found for _, found in row], words))
    return predictions, sentences


@given(TAGGED)
@quick
def test_exact_spans_are_scored_as_by_seqeval(rows: list[list[tuple[int, int]]]) -> None:
    tags = {
        "y_true": [[NAMES[gold] for gold, _ in row] for row in rows],
        "y_pred": [[NAMES[found] for _, found in row] for row in rows],
        "zero_division": 0,
    }
    scores = scoring.scores(*terms_of(rows))
    assert scores["precision"] == pytest.approx(precision_score(**tags))
    assert scores["recall"] == pytest.approx(recall_score(**tags))
    assert scores["f1"] == pytest.approx(f1_score(**tags))


@given(TAGGED)
@quick
def test_curves_have_the_same_numbers(rows: list[list[tuple[int, int]]]) -> None:
    scores, curves = scoring.scores(*terms_of(rows)), TASK.curve_metrics(*terms_of(rows))
    assert {"f1", "keyword_precision", "keyword_recall"} <= curves.keys()
    assert curves == pytest.approx({name: scores[name] for name in curves})


def rate(counts: pd.Series, kind: str) -> float:
    tp, fp, fn = counts
    top, bottom = {"precision": (tp, tp + fp), "recall": (tp, tp + fn), "f1": (2 * tp, 2 * tp + fp + fn)}[kind]
    return top / bottom if bottom else 0.0


@given(TAGGED)
@quick
def test_every_metric_follows_from_the_counts_of_the_outcomes(rows: list[list[tuple[int, int]]]) -> None:
    predictions, sentences = terms_of(rows)
    outcomes, scores = scoring.outcomes(predictions, sentences), scoring.scores(predictions, sentences)
    assert len(outcomes) == len(rows)
    assert scores.keys() == scoring.METRICS.keys()
    for name, metric in scoring.METRICS.items():
        assert scores[name] == pytest.approx(rate(outcomes[list(metric.columns)].sum(), metric.kind))
    assert [read_spans(written) for written in outcomes["target"]] == [sorted(sentence.spans) for sentence in sentences]
    assert [read_spans(written) for written in outcomes["prediction"]] == list(map(sorted, predictions))


def test_outcomes_tell_sentences_apart_and_hold_none() -> None:
    sentences = [GoldSentence(text, ((0, 4),)) for text in ("Food was fine.", "Food was cold.", "Food was fine.")]
    outcomes = scoring.outcomes([[], [], []], sentences)
    first, second, third = outcomes["sentence"]
    assert first == third != second
    # The SHA-256 of "Food was fine." as sha256sum prints it.
    assert first == "f96ba2f49559b04d"
    assert not any("was" in str(value) for value in outcomes.to_numpy().ravel())


def test_the_reports_rule_counts_distinct_keywords() -> None:
    sentence = GoldSentence("Food and food, wine  list", ((0, 4), (9, 13), (15, 25)))
    assert sentence.keywords == {"food", "wine list"}
    scores = scoring.scores([[(0, 4)]], [sentence])
    assert (scores["recall"], scores["keyword_recall"]) == (pytest.approx(1 / 3), 0.5)
    assert scores["precision"] == scores["keyword_precision"] == 1


def test_scores_by_the_words_of_a_term() -> None:
    sentences = [GoldSentence("food and wine list", ((0, 4), (9, 18))), GoldSentence("the hard disk light", ((4, 19),))]
    scores = scoring.scores([[(0, 4), (9, 13)], [(4, 19)]], sentences)
    assert (scores["precision_one_word"], scores["recall_one_word"]) == (0.5, 1)
    assert scores["f1_two_words"] == 0
    assert scores["f1_three_words_or_more"] == 1


def test_finding_nothing_scores_nothing() -> None:
    assert set(scoring.trivial([GoldSentence("food", ((0, 4),)), GoldSentence("fine", ())]).values()) == {0.0}
    # No term to find and none found: nothing to divide by.
    assert set(scoring.scores([[]], [GoldSentence("fine", ())]).values()) == {0.0}
    assert scoring.outcomes([[]], [GoldSentence("fine", ())])["tp"].tolist() == [0]
