"""Parts of speech of English words, by a lexicon, a word's ending and its neighbours (Brill 1992).

textblob ships all three, so nothing is downloaded.
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
    """A number for each word of a sentence: its tag's place in PARTS_OF_SPEECH, from 1, or 0 for a tag not there.

    Words hold no white space. Where the tagger parts or joins words, all of them have 0.
    """
    from textblob.en import tag

    tagged = tag(" ".join(words), tokenize=False)
    return [_NUMBER.get(name, 0) for _, name in tagged] if len(tagged) == len(words) else [0] * len(words)
