"""Whole batches of images changed at once: mirrored and moved, in training or before a prediction."""

import torch
from torch import Tensor, nn

from stages.lib.task import Batch


def predict_augmented(network: nn.Module, batch: Batch) -> list[list[float]]:
    """Ten probabilities an image, from the mean logits of six views of it (Jordan 2024): as it is with weight 1/2, and
    moved by one pixel up and left, and down and right, with 1/4 each; then all three also mirrored left to right.
    """
    (images,) = batch.inputs
    logits = torch.zeros((), device=images.device)
    for move, weight in ((1, 1 / 2), (2, 1 / 4), (0, 1 / 4)):
        view = flip_and_crop(images, None, torch.full((len(images), 2), move), padding=1)
        logits = logits + weight / 2 * (network(view) + network(view.flip(3))).float()
    return logits.softmax(1).tolist()


def flip_and_crop(images: Tensor, flips: Tensor | None, moves: Tensor | None, padding: int) -> Tensor:
    """Images [B, C, H, W], those of `flips` [B] mirrored left to right, then moved by `moves` [B, 2] − padding (rows,
    columns; each from 0 to 2 · padding), with what lies beyond the border mirrored in.

    One lookup does both for the whole batch, in the memory layout that the images have.
    """
    if flips is None and moves is None:
        return images
    count, _, height, width = images.shape
    rows, columns = torch.arange(height).expand(count, -1), torch.arange(width).expand(count, -1)
    if moves is not None:
        rows, columns = (
            _mirrored(places + shift.unsqueeze(1) - padding, size)
            for places, shift, size in ((rows, moves[:, 0], height), (columns, moves[:, 1], width))
        )
    if flips is not None:
        columns = torch.where(flips.unsqueeze(1), width - 1 - columns, columns)
    pixels = (rows.unsqueeze(2) * width + columns.unsqueeze(1)).flatten(1) + torch.arange(count).unsqueeze(
        1
    ) * height * width
    flat = images.permute(0, 2, 3, 1).reshape(count * height * width, -1)
    found = flat.index_select(0, pixels.flatten().to(images.device))
    return found.view(count, height, width, -1).permute(0, 3, 1, 2)


def _mirrored(places: Tensor, size: int) -> Tensor:
    """Places beyond 0 … size − 1, as a mirror on the outermost pixel shows them."""
    places = places.abs()
    return torch.where(places >= size, 2 * (size - 1) - places, places)
