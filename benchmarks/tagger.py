"""Training speed of report B's setting: `python -m benchmarks.tagger [--profile full] [--rounds 5]`.

Side by side in one process, on the same batches of 64 sentences, with the same initial weights, CRF and optimizer:
  ours     a batch as long as its longest sentence, only its real words read (stages.networks.layers.packed_lstm)
  padded   every sentence padded to the longest of the training data, as the report pads to one length: torch.nn.LSTM
           and the CRF over all of it, with the same mask

Limit: ours is at least 2 times as fast. Where there is nothing to pad, both compute the same loss; the difference is
shown. Without --profile: real data if `dvc repro full/dvc.yaml` prepared them (data/full/aspects), else the sample.
"""

import argparse
import copy
import statistics

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from benchmarks.turns import prepared, take_turns, trainer
from stages.lib.config_params import PROFILES
from stages.lib.entry_point import run_stage
from stages.lib.files import ROOT, read_json
from stages.lib.task import Batch, get_task, task_module
from stages.networks.layers.ragged import length_mask
from stages.networks.sequence_tagger import SequenceTagger

UNITS, SENTENCES = 512, 64
LIMIT = 2.0


class Padded(nn.Module):
    """The same network on torch.nn.LSTM, fed sentences of one length."""

    def __init__(self, start: SequenceTagger, vocabulary_size: int, length: int) -> None:
        super().__init__()
        (member,) = start.members
        self.output = copy.deepcopy(start.outputs[0])
        self.length, width = length, member.ahead.weight_ih_l0.shape[1]
        self.change = nn.Embedding(vocabulary_size, width)
        nn.init.zeros_(self.change.weight)
        self.lstm = nn.LSTM(width, UNITS, batch_first=True, bidirectional=True)
        reverse = {f"{name}_reverse": value for name, value in member.back.state_dict().items()}
        self.lstm.load_state_dict(member.ahead.state_dict() | reverse)
        self.emissions = copy.deepcopy(member.scores)

    def loss(self, batch: Batch) -> Tensor:
        """Padded to one length, also in the CRF; positions past a sentence's end are masked in the loss."""
        token_ids, vectors, *_, lengths = batch.inputs
        missing = self.length - token_ids.shape[1]
        token_ids = nn.functional.pad(token_ids, (0, missing))
        vectors = nn.functional.pad(vectors[..., : self.change.embedding_dim], (0, 0, 0, missing))
        tags = nn.functional.pad(batch.target[..., 0], (0, missing))
        mask = length_mask(lengths, self.length)
        rows = (vectors + self.change(token_ids)) * mask.unsqueeze(2)
        # The backward direction starts at the end of the padding, as in a network that is told of no lengths.
        return self.output.loss(self.emissions(self.lstm(rows)[0]), tags, mask)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", choices=PROFILES)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=6, help="steps a round")
    parser.add_argument("--words", choices=("all", "report"), default="report")
    arguments = parser.parse_args()

    folder = prepared("aspects", arguments.profile)
    metadata, task, choices = (
        read_json(folder / "metadata.json"),
        get_task("aspects"),
        task_module("aspects", "training.options"),
    )
    options = choices.Options(words=arguments.words)
    split = task.load(load_file(folder / "tensors.safetensors"), metadata, options)["train"]
    torch.manual_seed(0)
    order = torch.randperm(len(split))[: SENTENCES * arguments.steps]
    batches = [split.batch(index) for index in order.split(SENTENCES)]
    network = choices.NETWORKS["sequence_tagger"](hidden_size=UNITS, embeddings="tuned")
    ours = task.build("sequence_tagger", network, metadata)
    padded = Padded(ours, metadata["vocabulary"], int(split.lengths.max()))
    longest = statistics.mean(batch.inputs[0].shape[1] for batch in batches)
    print(
        f"{folder.relative_to(ROOT)}, threads: {torch.get_num_threads()}; {split.lengths.double().mean():.1f} words a"
        f" sentence, {longest:.1f} in a batch's longest, {padded.length} in the longest of all"
    )

    def our_loss(batch: Batch) -> Tensor:
        return task.training_step(ours, batch, options)[0]

    full = split.batch(torch.argsort(split.lengths)[-1:])
    print(f"loss of the longest sentence differs by {abs(our_loss(full) - padded.loss(full)).item():.1e}")

    losses = {"ours": (our_loss, ours), "padded": (padded.loss, padded)}
    works = {
        name: trainer(loss, torch.optim.Adam(network.parameters(), lr=0.001), batches)
        for name, (loss, network) in losses.items()
    }
    medians = take_turns(works, len(batches), "steps", arguments.rounds)
    ratio = medians["ours"] / medians["padded"]
    print(f"{ratio:.2f} × padded; limit {LIMIT} ×: {'holds' if ratio >= LIMIT else 'MISSED'}")


if __name__ == "__main__":
    run_stage(main)
