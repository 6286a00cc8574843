"""Sample of SemEval-2014 task 4: made-up sentences about laptops and restaurants, in the real files' XML and names.

Each domain has 560 sentences for training and 150 for testing.

A sentence has no, one or two terms of one to three words; the same nouns are not terms where no opinion on them is
expressed. Punctuation, quotes and entities are those of the real files, and some offsets are wrong, as there.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from stages.download.samples import Group, generator, groups

COUNTS = {"train": 360, "test": 100}
FILES = {
    "laptops": {"train": "Laptop_Train_v2.xml", "test": "Laptops_Test_Gold.xml"},
    "restaurants": {"train": "Restaurants_Train_v2.xml", "test": "Restaurants_Test_Gold.xml"},
}
#: Heads, and modifiers that make terms of two and three words.
HEADS = {
    "laptops": "battery/batteries screen/display keyboard/keys speaker/speakers price/cost software/programs fan mouse",
    "restaurants": "food/meal staff/waiter pizza/pasta sushi/sashimi wine/beer decor/interior dessert/cake menu",
}
BEFORE = {
    "laptops": "built-in original external backup touch power",
    "restaurants": "house lunch seafood tasting garden chef",
}
FURTHER = {"laptops": "new spare main", "restaurants": "daily spicy fresh"}
#: Terms with punctuation.
SPECIAL = {
    "laptops": ("drag & drop", '"sales" team', "wi-fi", '13.3" screen'),
    "restaurants": ("mac & cheese", '"early bird" menu', "all-you-can-eat", "chef's table"),
}
JUDGED = {
    "good": "great/excellent/superb fast/quick reliable lovely/charming",
    "bad": "awful/terrible/poor slow broken dull/bland",
}
PLAIN = {
    "people": "brother/friend wife/husband colleague/boss",
    "days": "monday friday yesterday",
    "verbs": "bought/purchased returned visited recommend",
}
FUNCTION_WORDS = (
    *(",", ".", "!", '"', "-", "&", "(", ")", "'s", "n't"),
    *(
        "the",
        "is",
        "and",
        "but",
        "i",
        "it",
        "my",
        "on",
        "not",
        "a",
        "with",
        "very",
        "was",
        "love",
        "hate",
        "their",
        "than",
    ),
    *(
        "last",
        "one",
        "we",
        "never",
        "again",
        "would",
        "this",
        "place",
        "laptop",
        "all",
        "you",
        "can",
        "eat",
        "wi",
        "fi",
    ),
    *("came", "us", "back", "drag", "drop", "sales", "team", "mac", "cheese", "early", "bird", "table", "in", "built"),
)


class Made(NamedTuple):
    """A sentence and its terms, each with first and last character (exclusive)."""

    text: str
    terms: list[tuple[str, int, int]]


def lexicon() -> Iterator[Group]:
    """Every word that can occur in a sentence, except numbers."""
    for word in FUNCTION_WORDS:
        yield Group("function", word, (word,))
    yield from groups("aspect", HEADS)
    yield from groups("aspect modifier", BEFORE | {f"more {domain}": words for domain, words in FURTHER.items()})
    yield from groups("judged", JUDGED)
    yield from groups("plain", PLAIN)


def write(folder: Path, seed: int) -> None:
    """Write the four files, UTF-8; no sentence occurs twice in a domain."""
    for domain, names in FILES.items():
        random = generator(seed, "semeval2014", domain)
        seen: set[str] = set()
        for part, name in names.items():
            lines = ['<?xml version="1.0" encoding="UTF-8" standalone="yes"?>', "<sentences>"]
            number = 0
            while number < COUNTS[part]:
                made = sentence(domain, random)
                if made.text in seen:
                    continue
                seen.add(made.text)
                # As in the real laptop sentences, some training offsets do not count a leading space.
                off = part == "train" and number % 100 == 50
                lines += _xml(f"{part}-{number}", made, off)
                number += 1
            lines.append("</sentences>\n")
            (folder / name).write_text("\n".join(lines), encoding="utf-8", newline="\n")


def sentence(domain: str, random: np.random.Generator) -> Made:
    """One sentence; one in five has no term."""
    first, second = _term(domain, random), _term(domain, random)
    judged, other = (_word(JUDGED[kind], random) for kind in random.permutation(list(JUDGED)))
    person, day, verb = (_word(PLAIN[kind], random) for kind in PLAIN)
    noun = _word(HEADS[domain], random)
    form = random.random()
    if form < 0.2:
        text, terms = f"I {verb} it {day} with my {person}, not a {noun}.", []
    elif form < 0.4:
        text, terms = f"The {first} is very {judged}!", [first]
    elif form < 0.6:
        text, terms = f"{judged.capitalize()} {first} and {other} {second}.", [first, second]
    elif form < 0.75:
        text, terms = f"My {person} would love the {first} (but the {second} isn't {judged}).", [first, second]
    elif form < 0.85:
        text, terms = f"I hate their {first}, {second} - never again.", [first, second]
    else:
        text, terms = f"The {first} was {judged}; my {person}'s {first} came back {day}.", [first, first]
    return Made(text, _places(text, terms))


def _places(text: str, terms: list[str]) -> list[tuple[str, int, int]]:
    """Each term with its offsets; the terms follow each other in the text in this order."""
    found, behind = [], 0
    for term in terms:
        start = text.index(term, behind)
        behind = start + len(term)
        found.append((term, start, behind))
    return found


def _term(domain: str, random: np.random.Generator) -> str:
    form = random.random()
    if form < 0.08:
        return str(random.choice(SPECIAL[domain]))
    words = [_word(HEADS[domain], random)]
    if form < 0.5:
        words.insert(0, _word(BEFORE[domain], random))
    if form < 0.22:
        words.insert(0, _word(FURTHER[domain], random))
    return " ".join(words)


def _word(meanings: str, random: np.random.Generator) -> str:
    return str(random.choice(str(random.choice(meanings.split())).split("/")))


def _xml(name: str, made: Made, off: bool) -> list[str]:
    blank = " " if off else ""
    lines = [f"    <sentence id={quoteattr(name)}>", f"        <text>{blank}{escape(made.text)}</text>"]
    if made.terms:
        lines.append("        <aspectTerms>")
        lines += [
            f'            <aspectTerm term={quoteattr(term, {chr(34): "&quot;"})} polarity="neutral"'
            f' from="{start}" to="{end}"/>'
            for term, start, end in made.terms
        ]
        lines.append("        </aspectTerms>")
    return [*lines, "    </sentence>"]
