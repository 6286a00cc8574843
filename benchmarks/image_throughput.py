"""Training speed of the image networks: `python -m benchmarks.image_throughput [--model resnet18] [--batch-size 50]`.

Side by side in one process, same network, first weights, loss, optimizer and batch size; the two take turns, so
that other load on the machine hits both alike, and the medians are compared:
  ours      whole batches cut out of one uint8 tensor, flipped and moved by one lookup; channels_last; bfloat16 where
            the processor has it (`precision: auto`)
  tutorial  a DataLoader with two workers over single PIL images: RandomCrop, RandomHorizontalFlip, ToTensor, Normalize;
            float32, PyTorch's ordinary layout

Wanted with bfloat16 in the processor (AMX): at least 2.6 times as fast (ResNet-18), 3 times (simple CNN). Without
it, float32 convolutions are all that either does, and the ratio is what the loader and the layout cost.
--profile lists what a step of ours spends its time on. Data: data/full/cifar10 if prepared, else the sample.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator

import torch
from lightning_fabric import Fabric
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from stages.lib.files import ROOT, read_json
from stages.lib.task import Place, get
from stages.train.precision import resolve

LIMITS = {"simple_cnn": 3.0, "resnet18": 2.6}


class Pictures(Dataset):
    """Single images as a tutorial holds them."""

    def __init__(self, images: Tensor, labels: Tensor, mean: list[float], deviation: list[float]) -> None:
        self.images = [Image.fromarray(image.numpy()) for image in images]
        self.labels = labels.tolist()
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(32, padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(mean, deviation),
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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="simple_cnn", choices=LIMITS)
    parser.add_argument("--batch-size", type=int, default=50)
    parser.add_argument("--steps", type=int, help="steps a round; default: about 1,000 images, 100 for ResNet-18")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--profile", action="store_true", help="what a step of ours spends its time on")
    arguments = parser.parse_args()
    size = arguments.batch_size
    steps = arguments.steps or max(2, (100 if arguments.model == "resnet18" else 1000) // size)

    folder = next(ROOT / "data" / p / "cifar10" for p in ("full", "sample") if (ROOT / "data" / p / "cifar10").is_dir())
    facts, tensors, task = read_json(folder / "facts.json"), load_file(folder / "tensors.safetensors"), get("cifar10")
    options = task.Options(flip="random", crop_padding=4)
    split = task.load(tensors, facts, options)["train"]
    torch.manual_seed(0)
    network = task.build(arguments.model, task.networks[arguments.model](), facts)
    weights = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    fabric = Fabric(accelerator="cpu", devices=1, precision=resolve("auto"))
    ours, optimizer = fabric.setup(network, torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9))

    def our_round() -> None:
        for step in range(steps):
            index = torch.randint(len(split), (size,))
            place = Place(index, 0, torch.Generator().manual_seed(step))
            batch = task.augment(split.batch(index), place, options)
            optimizer.zero_grad()
            fabric.backward(task.loss(ours, batch, options))
            optimizer.step()

    plain = task.build(arguments.model, task.networks[arguments.model](), facts)
    plain.load_state_dict(weights)
    plain = plain.to(memory_format=torch.contiguous_format)
    plain_optimizer = torch.optim.SGD(plain.parameters(), lr=0.01, momentum=0.9)
    some = Pictures(tensors["train.images"][:5000], tensors["train.labels"][:5000], facts["mean"], facts["deviation"])
    loader = endless(DataLoader(some, size, shuffle=True, num_workers=2, drop_last=True, persistent_workers=True))

    def tutorial_round() -> None:
        for _ in range(steps):
            images, labels = next(loader)
            plain_optimizer.zero_grad()
            nn.functional.cross_entropy(plain(images), labels).backward()
            plain_optimizer.step()

    works: dict[str, Callable[[], None]] = {"ours": our_round, "tutorial": tutorial_round}
    for work in works.values():
        work()
    if arguments.profile:
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
            our_round()
        print(profile.key_averages().table(sort_by="self_cpu_time_total", row_limit=15))
    print(f"{folder.relative_to(ROOT)}, {arguments.model}, batch {size}, {torch.get_num_threads()} threads,", end=" ")
    print(f"{resolve('auto')}; {arguments.rounds} rounds of {steps} steps")
    speeds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(arguments.rounds):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            speeds[name].append(steps * size / (time.perf_counter() - start))
    medians = {name: statistics.median(measured) for name, measured in speeds.items()}
    for name, median in medians.items():
        print(f"{name:9} median {median:7.1f} images/s  best {max(speeds[name]):7.1f}")
    ratio, limit = medians["ours"] / medians["tutorial"], LIMITS[arguments.model]
    said = "holds" if ratio >= limit else "MISSED" if resolve("auto") == "bf16-mixed" else "for bfloat16; none here"
    print(f"ours is {ratio:.2f} × the tutorial's; limit {limit} ×: {said}")


if __name__ == "__main__":
    main()
