"""Training speed of report A's 512-unit run: `python -m benchmarks.train_throughput [--profile full] [--rounds 7]`.

Side by side in one process, on the same batches of 35 pairs, with the same weights at the start and the same loss and
optimizer; the three take turns (so that other load on the machine hits all alike), and the medians are compared:
  ours      stages.networks.layers.packed_lstm, the words of a batch laid out without padding (as every run trains)
  packed    torch.nn.LSTM fed the same words by pack_padded_sequence
  padded    torch.nn.LSTM fed every sentence padded to 65 words, the report's length

To hold: ours is at least 2 times as fast as padded. Without --profile: real data if `dvc repro` prepared them
(data/full/sts), else the sample. All three compute the same function; the largest difference of their scores is shown.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from stages.lib.files import ROOT, read_json
from stages.lib.task import Batch, get
from stages.networks.layers.packed_lstm import PackedLSTM
from stages.networks.siamese_lstm import SiameseLSTM, cosine_score

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
        """Scores [B] for `vectors` [2B, T, width] with true `lengths` [2B]."""
        if self.length is None:
            packed = pack_padded_sequence(vectors, lengths, batch_first=True, enforce_sorted=False)
            last = self.lstm(packed)[1][0][0]
        else:
            states, _ = self.lstm(nn.functional.pad(vectors, (0, 0, 0, self.length - vectors.shape[1])))
            last = states[torch.arange(len(lengths)), lengths - 1]
        return cosine_score(*last.chunk(2))


def trainer(network: nn.Module, batches: list[Batch]) -> Callable[[], float]:
    """A function that takes one step a batch and returns the steps a second."""
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)

    def work() -> float:
        start = time.perf_counter()
        for batch in batches:
            optimizer.zero_grad()
            nn.functional.mse_loss(network(*batch.inputs), batch.target).backward()
            optimizer.step()
        return len(batches) / (time.perf_counter() - start)

    return work


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", choices=("sample", "full", "paper"))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=10, help="steps a round")
    arguments = parser.parse_args()

    real = (ROOT / "data" / "full" / "sts" / "facts.json").exists()
    folder = ROOT / "data" / (arguments.profile or ("full" if real else "sample")) / "sts"
    facts, task = read_json(folder / "facts.json"), get("sts")
    split = task.load(load_file(folder / "tensors.safetensors"), facts, task.Options())["train"]
    torch.manual_seed(0)
    order = torch.randperm(len(split))[: PAIRS * arguments.steps]
    batches = [split.batch(index) for index in order.split(PAIRS)]

    ours = SiameseLSTM(facts["width"], UNITS, initialization="tensorflow")
    start = ours.layers[0][0]
    networks = {"ours": ours, "packed": TorchSiamese(start, None), "padded": TorchSiamese(start, LENGTH)}
    with torch.no_grad():
        scores = {name: network(*batches[0].inputs) for name, network in networks.items()}
    difference = max((score - scores["ours"]).abs().max().item() for score in scores.values())
    words = statistics.mean(batch.inputs[1].float().mean().item() for batch in batches)
    longest = statistics.mean(batch.inputs[0].shape[1] for batch in batches)
    print(f"{folder.relative_to(ROOT)}, threads: {torch.get_num_threads()}; {words:.1f} words a sentence on average,")
    print(f"{longest:.1f} in a batch's longest; scores differ by at most {difference:.1e}; {arguments.rounds} rounds")

    works = {name: trainer(network, batches) for name, network in networks.items()}
    for work in works.values():
        work()
    speeds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(arguments.rounds):
        for name, work in works.items():
            speeds[name].append(work())

    medians = {name: statistics.median(measured) for name, measured in speeds.items()}
    for name, median in medians.items():
        ratio = median / medians["padded"]
        print(f"{name:7} median {median:7.2f} steps/s  best {max(speeds[name]):7.2f}  {ratio:6.2f} × padded")
    ratio = medians["ours"] / medians["padded"]
    print(f"limit {LIMIT} × padded: {'holds' if ratio >= LIMIT else 'MISSED'}")


if __name__ == "__main__":
    main()
