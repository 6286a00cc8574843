"""Training speed of report B's setting: `python -m benchmarks.tagger [--profile full] [--rounds 5]`.

Side by side in one process, on the same batches of 64 sentences, with the same weights at the start, the same CRF and
optimizer; the two take turns (so that other load on the machine hits both alike), and the medians are compared:
  ours     a batch as long as its longest sentence, only its real words read (stages.networks.layers.packed_lstm)
  padded   every sentence padded to the longest of the training data, as the report pads to one length: torch.nn.LSTM
           and the CRF over all of it, with the same mask

To hold: ours is at least 2 times as fast. Where there is nothing to pad, both compute the same loss; the difference is
shown. Without --profile: real
data if `dvc repro` prepared them (data/full/aspects), else the sample.
"""

import argparse
import copy
import statistics
import time
from collections.abc import Callable

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from stages.lib.files import ROOT, read_json
from stages.lib.task import Batch, get
from stages.networks.sequence_tagger import SequenceTagger

UNITS, SENTENCES = 512, 64
LIMIT = 2.0


class Padded(nn.Module):
    """The same network on torch.nn.LSTM, fed sentences of one length."""

    def __init__(self, start: SequenceTagger, vocabulary: int, length: int) -> None:
        super().__init__()
        (member,) = start.members
        self.output = copy.deepcopy(start.outputs[0])
        self.length, width = length, member.ahead.weight_ih_l0.shape[1]
        self.change = nn.Embedding(vocabulary, width)
        nn.init.zeros_(self.change.weight)
        self.lstm = nn.LSTM(width, UNITS, batch_first=True, bidirectional=True)
        back = {f"{name}_reverse": value for name, value in member.back.state_dict().items()}
        self.lstm.load_state_dict(member.ahead.state_dict() | back)
        self.scores = nn.Linear(2 * UNITS, 3)
        self.scores.load_state_dict(member.scores.state_dict())

    def loss(self, batch: Batch) -> Tensor:
        """Padded to one length, also in the CRF; what is behind a sentence's end counts for nothing in the loss."""
        numbers, vectors, *_, lengths = batch.inputs
        missing = self.length - numbers.shape[1]
        numbers = nn.functional.pad(numbers, (0, missing))
        vectors = nn.functional.pad(vectors[..., : self.change.embedding_dim], (0, 0, 0, missing))
        tags = nn.functional.pad(batch.target[..., 0], (0, missing))
        mask = torch.arange(self.length) < lengths.unsqueeze(1)
        rows = (vectors + self.change(numbers)) * mask.unsqueeze(2)
        # Read back from the end of the padding, as a network that is told of no lengths would.
        return self.output.loss(self.scores(self.lstm(rows)[0]), tags, mask)


def trainer(loss: Callable[[Batch], Tensor], network: nn.Module, batches: list[Batch]) -> Callable[[], float]:
    """A function that takes one step a batch and returns the steps a second."""
    optimizer = torch.optim.Adam(network.parameters(), lr=0.001)

    def work() -> float:
        start = time.perf_counter()
        for batch in batches:
            optimizer.zero_grad()
            loss(batch).backward()
            optimizer.step()
        return len(batches) / (time.perf_counter() - start)

    return work


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", choices=("sample", "full", "paper"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=6, help="steps a round")
    parser.add_argument("--words", choices=("all", "report"), default="report")
    arguments = parser.parse_args()

    real = (ROOT / "data" / "full" / "aspects" / "facts.json").exists()
    folder = ROOT / "data" / (arguments.profile or ("full" if real else "sample")) / "aspects"
    facts, task = read_json(folder / "facts.json"), get("aspects")
    split = task.load(load_file(folder / "tensors.safetensors"), facts, task.Options(words=arguments.words))["train"]
    torch.manual_seed(0)
    batches = [
        split.batch(index) for index in torch.randperm(len(split))[: SENTENCES * arguments.steps].split(SENTENCES)
    ]
    options = task.networks["sequence_tagger"](hidden_size=UNITS, embeddings="tuned")
    ours = task.build("sequence_tagger", options, facts)
    padded = Padded(ours, facts["vocabulary"], int(split.lengths.max()))
    longest = statistics.mean(batch.inputs[0].shape[1] for batch in batches)
    print(
        f"{folder.relative_to(ROOT)}, threads: {torch.get_num_threads()}; {split.lengths.double().mean():.1f} words a"
        f" sentence, {longest:.1f} in a batch's longest, {padded.length} in the longest of all"
    )
    full = split.batch(torch.argsort(split.lengths)[-1:])
    difference = abs(task.loss(ours, full, task.Options()) - padded.loss(full)).item()
    print(f"loss of the longest sentence differs by {difference:.1e}")

    works = {
        "ours": trainer(lambda batch: task.loss(ours, batch, task.Options()), ours, batches),
        "padded": trainer(padded.loss, padded, batches),
    }
    speeds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(arguments.rounds + 1):
        for name, work in works.items():
            speeds[name].append(work())
    # The first round warms up.
    medians = {name: statistics.median(measured[1:]) for name, measured in speeds.items()}
    for name, median in medians.items():
        print(f"{name:7} median {median:6.2f} steps/s  best {max(speeds[name]):6.2f}")
    ratio = medians["ours"] / medians["padded"]
    print(f"{ratio:.2f} × padded; limit {LIMIT} ×: {'holds' if ratio >= LIMIT else 'MISSED'}")


if __name__ == "__main__":
    main()
