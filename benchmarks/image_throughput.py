"""Training speed of the image networks: `python -m benchmarks.image_throughput [--model resnet18] [--batch-size 50]`.

Side by side in one process, with the same network, initial weights, loss, optimizer and batch size:
  ours      whole batches cut out of one uint8 tensor, flipped and shifted by one gather; channels_last; bfloat16 where
            the processor has it (`precision: auto`)
  tutorial  a DataLoader with two workers over single PIL images: RandomCrop, RandomHorizontalFlip, ToTensor, Normalize;
            float32, PyTorch's default layout

Limit with bfloat16 in the processor (AMX): at least 2.6 times as fast (ResNet-18), 3 times (simple CNN). Without it,
float32 convolutions are most of what either does, and the ratio is what the loader and the layout cost.
--profile lists what a step of ours spends its time on. Data: data/full/cifar10 if prepared, else the sample.
"""

import argparse
from collections.abc import Callable, Iterator

import torch
from lightning_fabric import Fabric
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from benchmarks.turns import prepared, take_turns
from stages.lib.entry_point import run_stage
from stages.lib.files import ROOT, read_json
from stages.lib.task import AugmentContext, get_task, task_module
from stages.train.precision import resolve

LIMITS = {"simple_cnn": 3.0, "resnet18": 2.6}


class SingleImages(Dataset):
    """Images one by one, as in a tutorial."""

    def __init__(self, images: Tensor, labels: Tensor, mean: list[float], std: list[float]) -> None:
        self.images = [Image.fromarray(image.numpy()) for image in images]
        self.labels = labels.tolist()
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(32, padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(mean, std),
            ]
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(self.images[index]), self.labels[index]


def endless(loader: DataLoader) -> Iterator[list[Tensor]]:
    while True:
        yield from loader


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="simple_cnn", choices=LIMITS)
    parser.add_argument("--batch-size", type=int, default=50)
    parser.add_argument("--steps", type=int, help="steps a round; default: about 1,000 images, 100 for ResNet-18")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--profile", action="store_true", help="what a step of ours spends its time on")
    arguments = parser.parse_args()
    size = arguments.batch_size
    steps = arguments.steps or max(2, (100 if arguments.model == "resnet18" else 1000) // size)

    folder, task, choices = prepared("cifar10"), get_task("cifar10"), task_module("cifar10", "training.options")
    metadata, tensors = read_json(folder / "metadata.json"), load_file(folder / "tensors.safetensors")
    options, settings = choices.Options(flip="random", crop_padding=4), choices.NETWORKS[arguments.model]()
    split = task.load(tensors, metadata, options)["train"]
    torch.manual_seed(0)
    network = task.build(arguments.model, settings, metadata)
    weights = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    fabric = Fabric(accelerator="cpu", devices=1, precision=resolve("auto"))
    ours, optimizer = fabric.setup(network, torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9))

    def our_round() -> None:
        for step in range(steps):
            index = torch.randint(len(split), (size,))
            context = AugmentContext(index, 0, torch.Generator().manual_seed(step))
            batch = task.augment(split.batch(index), context, options)
            optimizer.zero_grad()
            fabric.backward(task.training_step(ours, batch, options)[0])
            optimizer.step()

    tutorial = task.build(arguments.model, settings, metadata)
    tutorial.load_state_dict(weights)
    tutorial = tutorial.to(memory_format=torch.contiguous_format)
    tutorial_optimizer = torch.optim.SGD(tutorial.parameters(), lr=0.01, momentum=0.9)
    images, labels = tensors["train.images"][:5000], tensors["train.labels"][:5000]
    dataset = SingleImages(images, labels, metadata["mean"], metadata["std"])
    loader = endless(DataLoader(dataset, size, shuffle=True, num_workers=2, drop_last=True, persistent_workers=True))

    def tutorial_round() -> None:
        for _ in range(steps):
            images, labels = next(loader)
            tutorial_optimizer.zero_grad()
            nn.functional.cross_entropy(tutorial(images), labels).backward()
            tutorial_optimizer.step()

    if arguments.profile:
        our_round()
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
            our_round()
        print(profile.key_averages().table(sort_by="self_cpu_time_total", row_limit=15))
    print(f"{folder.relative_to(ROOT)}, {arguments.model}, batch {size}, {torch.get_num_threads()} threads,", end=" ")
    print(f"{resolve('auto')}; {arguments.rounds} rounds of {steps} steps")
    works: dict[str, Callable[[], None]] = {"ours": our_round, "tutorial": tutorial_round}
    medians = take_turns(works, steps * size, "images", arguments.rounds)
    ratio, limit = medians["ours"] / medians["tutorial"], LIMITS[arguments.model]
    verdict = "holds" if ratio >= limit else "MISSED" if resolve("auto") == "bf16-mixed" else "for bfloat16; none here"
    print(f"ours is {ratio:.2f} × the tutorial's; limit {limit} ×: {verdict}")


if __name__ == "__main__":
    run_stage(main)
