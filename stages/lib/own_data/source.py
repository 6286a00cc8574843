"""Where a data set's files are, and how its examples are split."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from stages.lib.errors import InputError

Example = TypeVar("Example")
SPLITS = ("train", "validation", "test")
#: The key of files that are not split yet.
ALL = "all"


class Source(NamedTuple):
    """files: a file or folder for each of "train", "validation" (or none) and "test", or one for "all" · seed: of the
    draw · fractions: of the examples that are drawn for validation and test · vectors: a file of word vectors.
    """

    path: Path
    files: Mapping[str, Path]
    seed: int
    fractions: Mapping[str, float]
    vectors: Path

    @property
    def is_drawn(self) -> bool:
        return ALL in self.files


def find_files(path: Path, splits: Mapping[str, str | None] | None) -> dict[str, Path]:
    """The file or folder of each split. Raises InputError for one that is missing, or used for two splits."""
    if not path.exists():
        raise InputError(f"{path} does not exist; correct the data set's path")
    if splits is None:
        return {ALL: path}
    if not path.is_dir():
        raise InputError(f"{path}: splits name files in a folder, and this is a file")
    found = {split: path / name for split, name in splits.items() if name is not None}
    for split, file in found.items():
        if not file.exists():
            raise InputError(f"{file} does not exist; correct splits.{split}")
    if len({file.resolve() for file in found.values()}) < len(found):
        raise InputError(f"{path}: two splits name the same file; what is trained on cannot be tested on")
    return found


def split_examples(
    parts: Mapping[str, Sequence[Example]], source: Source, label: Callable[[Example], Hashable] = lambda _: None
) -> dict[str, list[Example]]:
    """Train, validation and test of examples by file. What is drawn is drawn by the source's seed, of each label its
    fraction and one example at least; order is kept.

    Raises InputError for a split without examples, for a label with too few of them to be in every split, and for
    labels of validation or test that training lacks.
    """
    import numpy as np

    if source.is_drawn:
        pool, wanted = parts[ALL], {name: source.fractions[name] for name in ("test", "validation")}
    else:
        pool = parts["train"]
        wanted = {} if "validation" in parts else {"validation": source.fractions["validation"]}
    for name, examples in parts.items():
        if not examples:
            raise InputError(f"{source.files[name]}: no example left for {name}; add some")
    members: defaultdict[Hashable, list[int]] = defaultdict(list)
    for number, example in enumerate(pool):
        members[label(example)].append(number)
    if wanted:
        few = [name for name, numbers in members.items() if len(numbers) <= len(wanted)]
        if few:
            raise InputError(
                f"{source.path}: {_shown(few)} {'has' if len(few) == 1 else 'have'} fewer than {len(wanted) + 1}"
                f" examples, too few for training{', validation and test' if source.is_drawn else ' and validation'};"
                " add some, or leave the class out"
            )
    random = np.random.default_rng(source.seed)
    drawn = {name: set[int]() for name in wanted}
    for numbers in members.values():
        order, start = random.permutation(numbers).tolist(), 0
        for name, fraction in wanted.items():
            count = max(1, round(fraction * len(numbers)))
            drawn[name].update(order[start : start + count])
            start += count
    taken = set().union(*drawn.values())
    found = {name: list(parts.get(name, ())) for name in SPLITS}
    found["train"] = [example for number, example in enumerate(pool) if number not in taken]
    for name, chosen in drawn.items():
        found[name] = [pool[number] for number in sorted(chosen)]
    known = set(members)
    for name in ("validation", "test"):
        if unknown := sorted({str(value) for value in map(label, found[name]) if value not in known}):
            raise InputError(
                f"{source.files.get(name, source.path)}: {_shown(unknown)} is not in the training examples"
            )
    return found


def without_duplicates(examples: Iterable[Example]) -> tuple[list[Example], int]:
    """The examples, each once, and how many were left out: a copy in training would give away the test."""
    listed = list(examples)
    kept = list(dict.fromkeys(listed))
    return kept, len(listed) - len(kept)


def _shown(labels: Sequence[Hashable]) -> str:
    if labels[0] is None:
        return "the data set"
    names = ", ".join(repr(str(label)[:40]) for label in labels[:3])
    return f"class {names}" if len(labels) == 1 else f"{len(labels):,} classes ({names}{', …' if labels[3:] else ''})"
