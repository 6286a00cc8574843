"""Scores of keyword extraction: precision, recall and F1 of terms."""

from collections.abc import Sequence
from hashlib import sha256

import numpy as np
import pandas as pd
from sklearn.metrics import precision_recall_fscore_support

from stages.lib.results import MetricDefinition
from stages.lib.text.marking import write_spans
from stages.tasks.aspects.training.sentences import GoldSentence, Span, keywords

#: What is counted, by the prefix of its columns of the outcomes: exact spans (SemEval's rule), the distinct keywords of
#: a sentence (the report's), and exact spans of terms of one, two, and three or more words.
RULES = ("", "keyword_", "one_word_", "two_words_", "three_words_or_more_")
COUNTS = ("tp", "fp", "fn")
RATES = ("precision", "recall", "f1")


def _metric(rule: str, rate: str) -> str:
    """Such as f1, keyword_f1, f1_one_word."""
    return f"{rule}{rate}" if rule in ("", "keyword_") else f"{rate}_{rule.removesuffix('_')}"


METRICS = {
    _metric(rule, rate): MetricDefinition(rate, tuple(f"{rule}{count}" for count in COUNTS), larger_is_better=True)
    for rule in RULES
    for rate in RATES
}


def match(predictions: Sequence[Sequence[Span]], targets: Sequence[GoldSentence]) -> pd.DataFrame:
    """One row per rule, sentence, and term that is annotated or found; columns rule, sentence, gold and found."""
    rows = []
    for number, (prediction, sentence) in enumerate(zip(predictions, targets, strict=True)):
        gold, found = set(sentence.spans), set(prediction)
        for span in gold | found:
            words = len(sentence.text[slice(*span)].split())
            for rule in ("", RULES[min(words, 3) + 1]):
                rows.append((rule, number, span in gold, span in found))
        found_keywords = keywords(sentence.text, prediction)
        rows += [
            ("keyword_", number, word in sentence.keywords, word in found_keywords)
            for word in sentence.keywords | found_keywords
        ]
    return pd.DataFrame(rows, columns=["rule", "sentence", "gold", "found"])


def scores(predictions: Sequence[Sequence[Span]], targets: Sequence[GoldSentence]) -> dict[str, float]:
    """Precision, recall and F1 over all sentences by each of RULES; 0 where they are undefined."""
    terms = match(predictions, targets)
    if terms.empty:
        return dict.fromkeys(METRICS, 0.0)
    of_rule = terms["rule"].to_numpy()[:, None] == np.array(RULES)
    gold, found = (of_rule & terms[name].to_numpy()[:, None] for name in ("gold", "found"))
    rates = precision_recall_fscore_support(gold, found, average=None, zero_division=0)
    return {
        _metric(rule, rate): float(values[column])
        for rate, values in zip(RATES, rates, strict=False)
        for column, rule in enumerate(RULES)
    }


def outcomes(predictions: Sequence[Sequence[Span]], targets: Sequence[GoldSentence]) -> pd.DataFrame:
    """One row per sentence: true positives, false positives and false negatives by each of RULES; the first 16 hex
    digits of the sentence's SHA-256; and where the annotated terms (target) and the found ones (prediction) stand in
    it, as `write_spans` has it. The sentences themselves may not be passed on (SemEval's licence).
    """
    terms = match(predictions, targets)
    terms["tp"], terms["fp"] = terms["gold"] & terms["found"], ~terms["gold"] & terms["found"]
    terms["fn"] = terms["gold"] & ~terms["found"]
    counts = terms.pivot_table(index="sentence", columns="rule", values=list(COUNTS), aggfunc="sum")
    counts.columns = [f"{rule}{count}" for count, rule in counts.columns]
    names = [f"{rule}{count}" for rule in RULES for count in COUNTS]
    table = counts.reindex(index=range(len(targets)), columns=names).fillna(0).astype("int16")
    return table.assign(
        sentence=[sha256(gold.text.encode()).hexdigest()[:16] for gold in targets],
        target=[write_spans(gold.spans) for gold in targets],
        prediction=[write_spans(found) for found in predictions],
    )


def trivial(targets: Sequence[GoldSentence]) -> dict[str, float]:
    """The scores of finding nothing."""
    return scores([()] * len(targets), targets)
