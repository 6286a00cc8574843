"""Training speed of report C's LSTM: `python -m benchmarks.classifier [--profile full] [--rounds 5]`.

Side by side in one process, on the same batches of 200 reviews, with the same initial weights and optimizer:
  ours   the LSTM of stages.networks.layers.packed_lstm
  torch  torch.nn.LSTM on a packed sequence, from the same word vectors and into the same head

Limit: ours is at least twice as fast. The difference between their losses is shown. Without --profile: real data if
`dvc repro full/dvc.yaml` prepared them (data/full/reviews), else the sample.
"""

import argparse
import copy

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from benchmarks.turns import prepared, take_turns, trainer
from stages.lib.config_params import PROFILES
from stages.lib.entry_point import run_stage
from stages.lib.files import ROOT, read_json
from stages.lib.task import Batch, get_task, task_module
from stages.networks.sentence_classifier import SentenceClassifier

UNITS, REVIEWS = 128, 200
LIMIT = 2.0


class OnTorch(nn.Module):
    """The same network on torch.nn.LSTM."""

    def __init__(self, start: SentenceClassifier) -> None:
        super().__init__()
        self.words, self.head = copy.deepcopy(start.words), copy.deepcopy(start.head)
        cell = start.recurrent.layers[0][0]
        self.lstm = nn.LSTM(cell.input_size, cell.hidden_size, batch_first=True)
        self.lstm.load_state_dict(cell.state_dict())

    def forward(self, token_ids: Tensor, vectors: Tensor, lengths: Tensor) -> Tensor:
        rows = self.words(token_ids, vectors)
        packed = pack_padded_sequence(rows, lengths, batch_first=True, enforce_sorted=False)
        return self.head(self.lstm(packed)[1][0][-1]).squeeze(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", choices=PROFILES)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10, help="steps a round")
    arguments = parser.parse_args()

    folder = prepared("reviews", arguments.profile)
    metadata, task, choices = (
        read_json(folder / "metadata.json"),
        get_task("reviews"),
        task_module("reviews", "training.options"),
    )
    options = choices.Options()
    split = task.load(load_file(folder / "tensors.safetensors"), metadata, options)["train"]
    torch.manual_seed(0)
    batches = [split.batch(index) for index in torch.randint(len(split), (arguments.steps, REVIEWS))]
    settings = {"cell": "lstm", "hidden_size": UNITS, "embeddings": "tuned", "head_sizes": (64,)}
    ours = task.build("sentence_classifier", choices.NETWORKS["sentence_classifier"](**settings), metadata)
    networks = {"ours": ours, "torch": OnTorch(ours)}
    print(f"{folder.relative_to(ROOT)}, threads: {torch.get_num_threads()}")

    def loss(network: nn.Module, batch: Batch) -> Tensor:
        return task.training_step(network, batch, options)[0]

    first, second = (loss(network, batches[0]).item() for network in networks.values())
    print(f"losses of one batch differ by {abs(first - second):.1e}")
    works = {
        name: trainer(
            lambda batch, network=network: loss(network, batch),
            torch.optim.Adam(network.parameters(), lr=0.001),
            batches,
        )
        for name, network in networks.items()
    }
    medians = take_turns(works, len(batches), "steps", arguments.rounds)
    ratio = medians["ours"] / medians["torch"]
    print(f"{ratio:.2f} × torch; limit {LIMIT} ×: {'holds' if ratio >= LIMIT else 'MISSED'}")


if __name__ == "__main__":
    run_stage(main)
