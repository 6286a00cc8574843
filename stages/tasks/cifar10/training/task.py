"""The training side of image classification."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from pydantic import BaseModel
from torch import Tensor, nn

from stages.lib.task import AugmentContext, Batch, Predictor, Split, Task
from stages.tasks.cifar10.training.augmentation import flip_and_crop, predict_augmented
from stages.tasks.cifar10.training.images import Images
from stages.tasks.cifar10.training.options import Options


class ImageClassification(Task):
    data_name = {"real": "CIFAR-10", "sample": "sample data (generated)"}
    logged_splits = ("validation", "test")
    monitor = ("accuracy", True)
    higher_is_better = frozenset({"train_accuracy", "validation_accuracy", "test_accuracy"})

    def load(self, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any], options: Options) -> dict[str, Split]:  # noqa: ARG002
        """Three splits of images."""
        return {
            name: Images(tensors[f"{name}.images"], tensors[f"{name}.labels"], metadata["mean"], metadata["std"])
            for name in ("train", "validation", "test")
        }

    def build(self, model: str, network: BaseModel, metadata: Mapping[str, Any]) -> nn.Module:
        """The network in channels_last, the fastest layout for oneDNN and cuDNN (docs/image-classification.md)."""
        settings, classes = network.model_dump(), len(metadata["classes"])
        match model:
            case "simple_cnn":
                from stages.networks.simple_cnn import SimpleCNN

                built: nn.Module = SimpleCNN(classes, **settings)
            case "fpn_cnn":
                from stages.networks.fpn_cnn import FPNCNN

                built = FPNCNN(classes, **settings)
            case "resnet18":
                from stages.networks.resnet18 import ResNet18

                built = ResNet18(classes)
            case "resnet18_224":
                from stages.networks.resnet18_224 import ResNet18At224

                built = ResNet18At224(classes, **settings)
            case "fast_cnn":
                from stages.networks.fast_cnn import FastCNN

                built = FastCNN(classes, patch_covariance=metadata["patch_covariance"], **settings)
        return built.to(memory_format=torch.channels_last)

    def augment(self, batch: Batch, context: AugmentContext, options: Options) -> Batch:
        """Random flips and crops; the same context gives the same images."""
        (images,) = batch.inputs
        flips = None
        if options.flip == "random":
            flips = torch.rand(len(images), generator=context.generator) < 0.5
        elif options.flip == "alternating":
            # A hash of the index: images are sorted by class, and half of each class is to start flipped.
            flips = (context.index * 2654435761 >> 16) % 2 == context.epoch % 2
        shifts = None
        if options.crop_padding:
            shifts = torch.randint(2 * options.crop_padding + 1, (len(images), 2), generator=context.generator)
        return Batch((flip_and_crop(images, flips, shifts, options.crop_padding),), batch.target)

    def training_step(self, network: nn.Module, batch: Batch, options: Options) -> tuple[Tensor, dict[str, Tensor]]:
        """Cross-entropy, and the accuracy on the batch before its update."""
        logits = network(*batch.inputs)
        loss = nn.functional.cross_entropy(logits, batch.target, label_smoothing=options.label_smoothing)
        return loss, {"accuracy": (logits.detach().argmax(1) == batch.target).float().mean()}

    def predict(self, network: nn.Module, batch: Batch) -> list[list[float]]:
        """The probability of each class, for each image."""
        return network(*batch.inputs).float().softmax(1).tolist()

    def extra_predictors(self, options: Options) -> Mapping[str, Predictor]:
        """Test-time augmentation, as "augmented"."""
        return {"augmented": predict_augmented} if options.test_time_augmentation else {}

    def curve_metrics(self, predictions: Sequence[Sequence[float]], targets: Sequence[int]) -> dict[str, float]:
        """Accuracy, and loss (cross-entropy in nats)."""
        probabilities, labels = torch.tensor(predictions, dtype=torch.float64), torch.tensor(targets)
        of_target = probabilities.gather(1, labels.unsqueeze(1)).clamp(min=torch.finfo(torch.float64).eps)
        return {
            "accuracy": (probabilities.argmax(1) == labels).double().mean().item(),
            "loss": -of_target.log().mean().item(),
        }


TASK = ImageClassification()
