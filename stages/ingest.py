"""One of the user's data sets to tensors and metadata: `python -m stages.ingest --data my-reviews`.

own/data/data.yaml names its files; the task's module `ingestion` reads them.
"""

import argparse
from pathlib import Path

from stages.lib.config_own import OwnParams, own_dataset, own_format, read_own_datasets
from stages.lib.config_params import OWN, PARAMS, read_params
from stages.lib.entry_point import run_stage
from stages.lib.errors import InputError
from stages.lib.own_data.source import Source, find_files
from stages.lib.task import task_module
from stages.lib.text import glove

#: Below this share of words with a vector the vectors are probably not meant for these texts.
LOW_COVERAGE = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="a data set of own/data/data.yaml")
    name = parser.parse_args().data
    dataset = own_dataset(name, read_own_datasets(), "--data")
    table_format, settings = own_format(name, dataset)
    params, _ = read_params(OWN)
    assert isinstance(params, OwnParams)
    vectors = Path(params.vectors)
    if not vectors.exists():
        raise InputError(f"{PARAMS[OWN]}: vectors = {params.vectors!r}: there is no such file or folder")
    vectors = vectors / glove.FILE if vectors.is_dir() else vectors

    import torch

    from stages.lib.prediction import store_data

    # As in preprocessing: sums are the same whatever number of threads the user has.
    torch.set_num_threads(1)
    path = Path(dataset.path)
    files = find_files(path, dataset.splits.model_dump() if dataset.splits else None)
    source = Source(path, files, dataset.seed, dataset.fractions.model_dump(), vectors)
    prepared = task_module(dataset.task, "ingestion").ingest(source, table_format, settings)
    about = {"sample": False, "source": f"{name} (own data)", "licence": dataset.licence}
    if prepared.vocabulary:
        about["word_vectors"] = params.vectors
    store_data(Path("data", OWN, name), prepared, about)
    print("\n".join(summary(name, prepared.metadata)))


def summary(name: str, metadata: dict) -> list[str]:
    """What was read and left out, in lines."""
    counts = ", ".join(f"{count:,} for {split}" for split, count in metadata["examples"].items())
    left_out = ", ".join(f"{count:,} {reason}" for reason, count in metadata["dropped"].items() if count)
    lines = [f"{name}: {counts}" + (f"; left out: {left_out}" if left_out else "")]
    coverage = metadata.get("splits", {}).get("train", {}).get("coverage")
    if coverage is not None and coverage < LOW_COVERAGE:
        lines.append(
            f"{name}: {coverage:.0%} of the words have a vector; `vectors` in {PARAMS[OWN]} can name other vectors"
        )
    return lines


if __name__ == "__main__":
    run_stage(main)
