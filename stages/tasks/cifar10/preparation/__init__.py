"""Raw archives of image classification to tensors."""

from stages.tasks.cifar10.preparation.tensors import Settings, image_statistics, prepare

__all__ = ["Settings", "image_statistics", "prepare"]
