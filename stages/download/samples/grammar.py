"""A small English grammar: a meaning fills slots, a sentence expresses it, and two meanings have a graded similarity.

[quality] subject verb object [place]      a cheerful lady is slicing the bread in the kitchen
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from stages.download.samples import Group, groups

#: Slot → kind → meanings, each with its synonyms.
SLOTS: dict[str, dict[str, str]] = {
    "quality": {
        "age": "young/youthful old/elderly middle-aged",
        "mood": "cheerful/happy/merry angry/furious tired/weary calm/quiet",
        "fame": "well-known/famous/renowned unknown/obscure",
    },
    "subject": {
        "family": "man/guy/gentleman woman/lady child/kid/youngster",
        "work": "teacher/instructor doctor/physician soldier/trooper farmer/grower lawyer/attorney musician/performer",
        "animal": "dog/puppy/hound cat/kitten monkey/ape",
    },
    "verb": {
        "making": "building/constructing/assembling repairing/fixing/mending painting/coloring",
        "trading": "buying/purchasing selling/vending stealing/robbing",
        "moving": "carrying/hauling throwing/tossing/hurling dragging/pulling",
        "sensing": "watching/viewing/observing touching/feeling",
        "cleaning": "washing/rinsing sweeping/brushing",
    },
    "object": {
        "vehicle": "car/automobile boat/ship/vessel bicycle/bike train",
        "food": "bread/loaf apple/fruit cheese sandwich",
        "paper": "picture/photograph/photo letter/note book/novel newspaper/gazette",
        "clothing": "t-shirt/shirt hat/cap shoe/sneaker",
        "instrument": "guitar/banjo piano/keyboard drum",
    },
    "place": {
        "town": "street/road market/bazaar station/depot shop/store",
        "nature": "park/garden beach/shore forest/woods field/meadow",
        "room": "kitchen/kitchenette office/workplace bedroom/dormitory",
    },
}
#: What an equal slot adds to a score of 0 to 5, and the fraction of it for two meanings of the same kind.
WEIGHTS = {"quality": 0.5, "subject": 1.25, "verb": 1.25, "object": 1.25, "place": 0.75}
SAME_KIND = 0.35
#: Subtracted where one of two sentences is negated.
DENIAL = 2.0
OPTIONAL = {"quality": 0.4, "place": 0.3}
FUNCTION_WORDS = (
    *(",", ".", "'", '"', "-", ";", ":"),
    *("the", "a", "an", "in", "is", "'s", "n't", "not", "who", "it", "there", "and", "of", "to", "at"),
)

MEANINGS: dict[str, tuple[Group, ...]] = {slot: tuple(groups(slot, table)) for slot, table in SLOTS.items()}


class Meaning(NamedTuple):
    """An index into MEANINGS for each slot, None for an empty one; `denied` negates the sentence."""

    slots: dict[str, int | None]
    denied: bool


def lexicon() -> Iterator[Group]:
    """Every word that can occur in a sentence, except misspelled ones."""
    for word in FUNCTION_WORDS:
        yield Group("function", word, (word,))
    for meanings in MEANINGS.values():
        yield from meanings


def meaning(random: np.random.Generator) -> Meaning:
    slots = {slot: _pick(slot, random) for slot in SLOTS}
    return Meaning(slots, denied=random.random() < 0.08)


def changed(origin: Meaning, count: int, random: np.random.Generator) -> Meaning:
    """A meaning that differs from `origin` in `count` slots."""
    slots = dict(origin.slots)
    for slot in random.permutation(list(SLOTS))[:count].tolist():
        while slots[slot] == origin.slots[slot]:
            slots[slot] = _pick(slot, random)
    return Meaning(slots, denied=origin.denied ^ (random.random() < 0.04))


def similarity(first: Meaning, second: Meaning) -> float:
    """Similarity of two meanings, from 0 to 5."""
    score = 0.0
    for slot, weight in WEIGHTS.items():
        one, other = first.slots[slot], second.slots[slot]
        if one == other:
            score += weight
        elif one is not None and other is not None and MEANINGS[slot][one].kind == MEANINGS[slot][other].kind:
            score += weight * SAME_KIND
    return max(0.0, score - DENIAL * (first.denied != second.denied))


def sentence(wanted: Meaning, random: np.random.Generator) -> str:
    """A random sentence with this meaning: synonyms, articles, word order; rarely quotes, a misspelling, title case."""
    chosen = {
        slot: _misspelled(str(random.choice(MEANINGS[slot][number].words)), random)
        for slot, number in wanted.slots.items()
        if number is not None
    }
    if random.random() < 0.03:
        chosen["object"] = f'"{chosen["object"]}"' if random.random() < 0.8 else f'"{chosen["object"]}'
    who = _with_article(
        f"{chosen['quality']} {chosen['subject']}" if "quality" in chosen else chosen["subject"], random
    )
    is_not = str(random.choice(["isn't", "is not"])) if wanted.denied else "is"
    what = f"{chosen['verb']} {_with_article(chosen['object'], random)}"
    where = f"in the {chosen['place']}" if "place" in chosen else ""

    form = random.random()
    if form < 0.15 and where:
        text = f"{where}, {who} {is_not} {what}"
    elif form < 0.25:
        text = f"it's {who} who {is_not} {what} {where}"
    elif form < 0.35:
        text = f"there is {who} who {is_not} {what} {where}"
    else:
        text = f"{who} {is_not} {what} {where}"
    text = text.strip()
    if random.random() < 0.1:
        return " ".join(word[0].upper() + word[1:] for word in text.split())
    return text[0].upper() + text[1:] + ("." if random.random() < 0.9 else "")


def _pick(slot: str, random: np.random.Generator) -> int | None:
    if random.random() < OPTIONAL.get(slot, 0.0):
        return None
    return int(random.integers(len(MEANINGS[slot])))


def _with_article(noun: str, random: np.random.Generator) -> str:
    if random.random() < 0.4:
        return f"the {noun}"
    return f"an {noun}" if noun.lstrip('"')[0] in "aeiou" else f"a {noun}"


def _misspelled(word: str, random: np.random.Generator) -> str:
    """In one case of a hundred with two inner letters swapped, so that some words have no vector, as in real forums."""
    if len(word) < 5 or random.random() >= 0.01:
        return word
    at = int(random.integers(1, len(word) - 2))
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
