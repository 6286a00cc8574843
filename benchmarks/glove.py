"""Reading GloVe vectors: `python -m benchmarks.glove data/full/raw/glove/glove.6B.50d.txt [--words words.txt]`.

The median of several rounds that alternate, so that other load on the machine affects all alike:
  baseline  read the file's bytes line by line and split off each line's first word
  ours      stages.lib.text.glove.read_vectors, for a vocabulary of 15,000 words (about that of the STS Benchmark)
  gensim    KeyedVectors.load_word2vec_format(no_header=True), which loads all words; once
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from stages.lib.text.glove import read_vectors


def baseline(path: Path) -> list[bytes]:
    with path.open("rb") as file:
        return [line.split(b" ", 1)[0] for line in file]


def gensim(path: Path) -> object:
    from gensim.models import KeyedVectors

    return KeyedVectors.load_word2vec_format(str(path), no_header=True)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path)
    parser.add_argument(
        "--words", type=Path, help="vocabulary, one word a line; by default every 13th of the first 200,000"
    )
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()

    if arguments.words:
        vocabulary = set(arguments.words.read_text(encoding="utf-8").split())
    else:
        vocabulary = {word.decode() for word in baseline(arguments.path)[:200_000:13]}
    found, _ = read_vectors(arguments.path, vocabulary)
    print(f"{len(vocabulary):,} words wanted, {len(found):,} found; {arguments.rounds} rounds")

    ways: dict[str, Callable[[], object]] = {
        "baseline": lambda: baseline(arguments.path),
        "ours": lambda: read_vectors(arguments.path, vocabulary),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(arguments.rounds):
        for name, work in ways.items():
            times[name].append(seconds(work))
    times["gensim"] = [seconds(lambda: gensim(arguments.path))]

    for name, measured in times.items():
        median, ratio = statistics.median(measured), statistics.median(measured) / statistics.median(times["baseline"])
        print(f"{name:9} median {median:7.3f} s  best {min(measured):7.3f} s  {ratio:6.2f} × baseline")


if __name__ == "__main__":
    main()
