"""Raw files → tensors and a JSON of facts: `python -m stages.preprocess --profile sample --task sts`."""

import argparse
from pathlib import Path

from stages.lib.config import Profile, check, parse_options
from stages.lib.files import whole_folder, write_json, write_tensors, write_text
from stages.lib.task import get
from stages.lib.errors import run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", required=True, choices=Profile.__args__)
    parser.add_argument("--task", required=True)
    parser.add_argument("--corpus", required=True, help="catalogue name of the task's own data set")
    parser.add_argument("--vectors", help="catalogue name of the word vectors (default: they are in the corpus)")
    arguments, words = parser.parse_known_args()

    import torch

    # Sums over all images come out the same whatever number of threads the user has.
    torch.set_num_threads(1)
    task = get(arguments.task)
    options = check(task.Preparation, parse_options(words), f"reports.yaml: tasks.{arguments.task}")
    raw = {
        role: Path("data", arguments.profile, "raw", name)
        for role, name in (("corpus", arguments.corpus), ("vectors", arguments.vectors or arguments.corpus))
    }
    tensors, facts, known = task.prepare(raw, options)
    with whole_folder(Path("data", arguments.profile, arguments.task)) as folder:
        write_tensors(folder / "tensors.safetensors", {name: tensor.contiguous() for name, tensor in tensors.items()})
        if known:
            write_text(folder / "words.txt", "\n".join(known))
        write_json(folder / "facts.json", {"sample": arguments.profile == "sample", **facts})
    print(f"{arguments.task}: {len(tensors)} tensors, {sum(tensor.nbytes for tensor in tensors.values()) / 1e6:.1f} MB")


if __name__ == "__main__":
    run(main)
