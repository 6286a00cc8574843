"""Sample of the STS Benchmark: 900, 240 and 240 made-up sentence pairs, in the layout of the real archive.

A pair's score is the similarity of its meanings (grammar.py), averaged over five simulated raters with errors.
"""

from pathlib import Path

import numpy as np

from stages.download.samples import generator, grammar

PAIRS = {"sts-train.csv": 900, "sts-dev.csv": 150, "sts-test.csv": 150}
#: genre, file, year, how its scores are written, and the extra columns that some sources have.
SOURCES = (
    ("main-captions", "MSRvid", "2012test", "{:.3f}", ()),
    ("main-captions", "images", "2015", "{:.2f}", ()),
    ("main-forum", "deft-forum", "2014", "{:g}", ()),
    ("main-news", "headlines", "2016", "{:g}", ("Made News Monitor", "Made News Monitor")),
)
README = """Sample data, made by stages/download/samples/stsbenchmark.py in the format of the STS Benchmark.
No sentence and no score in it comes from the real data set.
"""


def write(folder: Path, seed: int) -> None:
    """Write stsbenchmark/sts-train.csv, sts-dev.csv and sts-test.csv: tab separated, quotes literal, no header.

    No pair of sentences occurs twice, within a file or across files.
    """
    random = generator(seed, "stsbenchmark")
    seen: set[tuple[str, str]] = set()
    target = folder / "stsbenchmark"
    target.mkdir(parents=True)
    (target / "readme.txt").write_text(README, encoding="utf-8", newline="\n")
    for name, count in PAIRS.items():
        lines = []
        while len(lines) < count:
            first, second, score = _pair(random)
            if (first, second) in seen:
                continue
            seen.add((first, second))
            # Each source fills one part of the file, as in the real files.
            genre, file, year, form, extra = SOURCES[len(lines) * len(SOURCES) // count]
            fields = (genre, file, year, f"{len(lines):04d}", form.format(score), first, second, *extra)
            lines.append("\t".join(fields) + "\n")
        (target / name).write_text("".join(lines), encoding="utf-8", newline="\n")


def _pair(random: np.random.Generator) -> tuple[str, str, float]:
    origin = grammar.meaning(random)
    other = grammar.changed(origin, int(random.integers(len(grammar.SLOTS) + 1)), random)
    readers = grammar.similarity(origin, other) + random.normal(0, 0.5, size=5)
    score = float(np.clip(np.rint(readers), 0, 5).mean())
    return grammar.sentence(origin, random), grammar.sentence(other, random), score
