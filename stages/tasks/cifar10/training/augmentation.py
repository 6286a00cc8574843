"""Flips and shifts of whole batches of images, for training and for test-time augmentation."""

import torch
from torch import Tensor, nn

from stages.lib.task import Batch


def flip_and_crop(images: Tensor, flips: Tensor | None, shifts: Tensor | None, padding: int) -> Tensor:
    """Images [B, C, H, W], flipped left to right where `flips` [B] is true, then padded by reflection and cropped at
    `shifts` [B, 2] (row, column; each from 0 to 2 · padding).

    One gather does both for the whole batch and keeps the images' memory layout.
    """
    if flips is None and shifts is None:
        return images
    count, _, height, width = images.shape
    rows, columns = torch.arange(height).expand(count, -1), torch.arange(width).expand(count, -1)
    if shifts is not None:
        rows, columns = (
            _reflect(positions + shift.unsqueeze(1) - padding, size)
            for positions, shift, size in ((rows, shifts[:, 0], height), (columns, shifts[:, 1], width))
        )
    if flips is not None:
        columns = torch.where(flips.unsqueeze(1), width - 1 - columns, columns)
    within_image = (rows.unsqueeze(2) * width + columns.unsqueeze(1)).flatten(1)
    index = within_image + torch.arange(count).unsqueeze(1) * height * width
    pixels = images.permute(0, 2, 3, 1).reshape(count * height * width, -1)
    gathered = pixels.index_select(0, index.flatten().to(images.device))
    return gathered.view(count, height, width, -1).permute(0, 3, 1, 2)


def predict_augmented(network: nn.Module, batch: Batch) -> list[list[float]]:
    """Class probabilities from the mean logits of six views of each image (Jordan 2024): unshifted with weight 1/2,
    shifted by one pixel up and left and by one pixel down and right with 1/4 each, all three also flipped.
    """
    (images,) = batch.inputs
    logits = torch.zeros((), device=images.device)
    for shift, weight in ((1, 1 / 2), (2, 1 / 4), (0, 1 / 4)):
        view = flip_and_crop(images, None, torch.full((len(images), 2), shift), padding=1)
        logits = logits + weight / 2 * (network(view) + network(view.flip(3))).float()
    return logits.softmax(1).tolist()


def _reflect(positions: Tensor, size: int) -> Tensor:
    """Positions outside 0 … size − 1, reflected at the first and the last."""
    positions = positions.abs()
    return torch.where(positions >= size, 2 * (size - 1) - positions, positions)
