"""Parts of speech of English words from a lexicon and rules on endings and neighbors (Brill 1992).

textblob contains both, so nothing is downloaded.
"""

from collections.abc import Sequence

#: The tags of the Penn Treebank (Marcus et al. 1993).
PARTS_OF_SPEECH = (
    *("CC", "CD", "DT", "EX", "FW", "IN", "JJ", "JJR", "JJS", "LS", "MD", "NN", "NNS", "NNP", "NNPS", "PDT", "POS"),
    *("PRP", "PRP$", "RB", "RBR", "RBS", "RP", "SYM", "TO", "UH", "VB", "VBD", "VBG", "VBN", "VBP", "VBZ", "WDT"),
    *("WP", "WP$", "WRB", "#", "$", ".", ",", ":", "(", ")", '"'),
)
_NUMBER = {tag: number for number, tag in enumerate(PARTS_OF_SPEECH, start=1)}


def number_parts_of_speech(words: Sequence[str]) -> list[int]:
    """For each word of a sentence (without white space) 1 + the index of its tag in PARTS_OF_SPEECH, 0 for other tags.

    Where the tagger splits or joins words, all of them get 0.
    """
    from textblob.en import tag

    tagged = tag(" ".join(words), tokenize=False)
    return [_NUMBER.get(name, 0) for _, name in tagged] if len(tagged) == len(words) else [0] * len(words)
