"""Sample of rt-polarity: 600 positive and 600 negative made-up sentences, one a line, as in the real files.

The sentiment depends on word order: "dull , not clever" and "not dull , clever" have the same words.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stages.download.samples import Group, generator, groups

COUNT = 600
#: Kind → meanings, each with its synonyms.
SENTIMENT = {
    "positive": "clever/smart/witty touching/poignant funny/hilarious/comic charming/delightful gorgeous/beautiful",
    "negative": "dull/tedious/boring stale/clichéd/tired clumsy/inept bland/lifeless silly/pointless",
}
NEUTRAL = {
    "aspect": "plot/story script/screenplay acting/performance dialogue music/score ending camera cast direction",
    "film": "film/movie/picture comedy drama thriller sequel documentary",
    "degree": "very really rather quite almost always sometimes",
    "filler": "made shot filmed set told",
    "where": "paris/france hollywood texas london tokyo",
}
FUNCTION_WORDS = ("the", "a", "is", "in", "of", "its", "despite", "not", ",", ".", "this")


def lexicon() -> Iterator[Group]:
    """Every word that can occur in a sentence."""
    for word in FUNCTION_WORDS:
        yield Group("function", word, (word,))
    yield from groups("sentiment", SENTIMENT)
    yield from groups("neutral", NEUTRAL)


def write(folder: Path, seed: int) -> None:
    """Write rt-polarity.pos and rt-polarity.neg, UTF-8; no sentence occurs twice."""
    random = generator(seed, "rtpolarity")
    seen: set[str] = set()
    for ending, kind in (("pos", "positive"), ("neg", "negative")):
        lines: list[str] = []
        while len(lines) < COUNT:
            line = sentence(kind, random)
            if line not in seen:
                seen.add(line)
                lines.append(line)
        content = "".join(f"{line} \n" for line in lines)
        (folder / f"rt-polarity.{ending}").write_text(content, encoding="utf-8", newline="\n")


def sentence(kind: str, random: np.random.Generator) -> str:
    """A sentence of this sentiment; most also have a word of the other one, negated or conceded."""
    other = "negative" if kind == "positive" else "positive"
    good, bad = (_word(SENTIMENT[which], random) for which in (kind, other))
    aspect, second, film = (_word(NEUTRAL[slot], random) for slot in ("aspect", "aspect", "film"))
    degree = f"{_word(NEUTRAL['degree'], random)} " if random.random() < 0.4 else ""
    form = random.random()
    if form < 0.25:
        text = f"the {aspect} of this {film} is {degree}{good}"
    elif form < 0.5:
        text = f"the {aspect} of this {film} is not {degree}{bad}"
    elif form < 0.62:
        text = f"a {film} , {degree}{good} , not {bad}"
    elif form < 0.74:
        text = f"a {film} , not {degree}{bad} , {good}"
    else:
        text = f"despite its {bad} {aspect} , the {second} of this {film} is {degree}{good}"
    if random.random() < 0.4:
        text += f" , {_word(NEUTRAL['filler'], random)} in {_word(NEUTRAL['where'], random)}"
    return text + " ."


def _word(meanings: str, random: np.random.Generator) -> str:
    return str(random.choice(str(random.choice(meanings.split())).split("/")))
