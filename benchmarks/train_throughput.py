"""Training speed of report A's 512-unit run: `python -m benchmarks.train_throughput [--profile full] [--rounds 7]`.

Side by side in one process, on the same batches of 35 pairs, with the same initial weights, loss and optimizer:
  ours      stages.networks.layers.packed_lstm, the words of a batch laid out without padding (as every run trains)
  packed    torch.nn.LSTM fed the same words by pack_padded_sequence
  padded    torch.nn.LSTM fed every sentence padded to 65 words, the report's length

Limit: ours is at least 2 times as fast as padded. All three compute the same function; the largest difference of their
predictions is shown. Without --profile: real data if `dvc repro full/dvc.yaml` prepared them (data/full/sts), else the
sample.
"""

import argparse
import statistics

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from benchmarks.turns import prepared, take_turns, trainer
from stages.lib.config_params import PROFILES
from stages.lib.entry_point import run_stage
from stages.lib.files import ROOT, read_json
from stages.lib.task import Batch, get_task, task_module
from stages.networks.layers.packed_lstm import PackedLSTM
from stages.networks.layers.ragged import pad_to
from stages.networks.siamese_lstm import SiameseLSTM, cosine_similarity

UNITS, PAIRS, LENGTH = 512, 35, 65
LIMIT = 2.0


class TorchSiamese(nn.Module):
    """The same network on torch.nn.LSTM; `length`: pad every batch to it, None: pack."""

    def __init__(self, start: PackedLSTM, length: int | None) -> None:
        super().__init__()
        self.length = length
        self.lstm = nn.LSTM(start.weight_ih_l0.shape[1], UNITS, batch_first=True)
        self.lstm.load_state_dict(start.state_dict())

    def forward(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """Similarities [B] of `vectors` [2B, T, width] with true `lengths` [2B]."""
        if self.length is None:
            packed = pack_padded_sequence(vectors, lengths, batch_first=True, enforce_sorted=False)
            last = self.lstm(packed)[1][0][0]
        else:
            states, _ = self.lstm(pad_to(vectors, self.length)[0])
            last = states[torch.arange(len(lengths)), lengths - 1]
        return cosine_similarity(*last.chunk(2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", choices=PROFILES)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=10, help="steps a round")
    arguments = parser.parse_args()

    folder = prepared("sts", arguments.profile)
    metadata, options = read_json(folder / "metadata.json"), task_module("sts", "training.options").Options()
    split = get_task("sts").load(load_file(folder / "tensors.safetensors"), metadata, options)["train"]
    torch.manual_seed(0)
    order = torch.randperm(len(split))[: PAIRS * arguments.steps]
    batches = [split.batch(index) for index in order.split(PAIRS)]

    ours = SiameseLSTM(metadata["width"], UNITS, initialization="tensorflow")
    start = ours.layers[0][0]
    networks = {"ours": ours, "packed": TorchSiamese(start, None), "padded": TorchSiamese(start, LENGTH)}
    with torch.no_grad():
        predictions = {name: network(*batches[0].inputs) for name, network in networks.items()}
    difference = max((values - predictions["ours"]).abs().max().item() for values in predictions.values())
    words = statistics.mean(batch.inputs[1].float().mean().item() for batch in batches)
    longest = statistics.mean(batch.inputs[0].shape[1] for batch in batches)
    print(f"{folder.relative_to(ROOT)}, threads: {torch.get_num_threads()}; {words:.1f} words a sentence on average,")
    print(f"{longest:.1f} in a batch's longest; predictions differ by at most {difference:.1e}")

    def work_of(network: nn.Module) -> object:
        def loss(batch: Batch) -> Tensor:
            return nn.functional.mse_loss(network(*batch.inputs), batch.target)

        return trainer(loss, torch.optim.SGD(network.parameters(), lr=0.01), batches)

    works = {name: work_of(network) for name, network in networks.items()}
    medians = take_turns(works, len(batches), "steps", arguments.rounds)
    ratio = medians["ours"] / medians["padded"]
    print(f"{ratio:.2f} × padded; limit {LIMIT} ×: {'holds' if ratio >= LIMIT else 'MISSED'}")


if __name__ == "__main__":
    run_stage(main)
