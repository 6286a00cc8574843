"""Statements about convolution and pooling."""

import itertools

import torch
import torch.nn.functional as F
from torch import nn

from stages.lib.statements import Result


def output_sizes(_seed: int) -> Result:
    """⌊(input − width + 2·pad)/stride⌋ + 1 against what the framework returns, over a grid (D-theory-size).

    Where the kernel does not fit into the padded input, the formula gives at most 0 and the framework must refuse.
    """
    cases, mismatches, misfits = 0, 0, 0
    for size, width, pad, stride in itertools.product(range(1, 15), range(1, 8), range(4), range(1, 6)):
        stated = (size - width + 2 * pad) // stride + 1
        cases += 1
        try:
            found = F.conv1d(torch.zeros(1, 1, size), torch.zeros(1, 1, width), padding=pad, stride=stride).shape[2]
        except RuntimeError:
            found, misfits = 0, misfits + 1
        mismatches += found != max(stated, 0)
    return Result({"cases": cases, "mismatches": mismatches, "kernels_larger_than_input": misfits})


def one_by_one(seed: int) -> Result:
    """A 1 × 1 convolution: height, width, channels, and what a single changed pixel changes (D-theory-1x1).

    Beside it the weights of a 3 × 3 convolution from 256 to 256 channels, and of one behind a 1 × 1 down to 64.
    """
    torch.manual_seed(seed)
    convolution = nn.Conv2d(16, 6, kernel_size=1).double()
    image = torch.randn(2, 16, 9, 13, dtype=torch.float64)
    output = convolution(image)
    # The same weights as one matrix product over the channels of each pixel on its own.
    per_pixel = F.linear(image.movedim(1, -1), convolution.weight[:, :, 0, 0], convolution.bias).movedim(-1, 1)
    touched = image.clone()
    touched[:, :, 4, 5] += 1
    changed = (convolution(touched) != output).any(dim=1)[0]
    return Result(
        {
            "height_change": output.shape[2] - image.shape[2],
            "width_change": output.shape[3] - image.shape[3],
            "input_channels": image.shape[1],
            "output_channels": output.shape[1],
            "difference_from_matrix_product": (output - per_pixel).abs().max().item(),
            "pixels_changed_by_one_pixel": int(changed.sum()),
            "weights_3x3": nn.Conv2d(256, 256, 3, bias=False).weight.numel(),
            "weights_1x1_and_3x3": sum(
                convolution.weight.numel() for convolution in (nn.Conv2d(256, 64, 1), nn.Conv2d(64, 256, 3))
            ),
        }
    )


def pooled_maxima(_seed: int) -> Result:
    """3 × 3 max pooling of the report's four matrices (A-theory-pool), as nn.MaxPool2d does it: stride 3.

    Beside them the original shifted by two pixels, which the report does not try.
    """
    original = torch.zeros(4, 4)
    original[1:3, 1:3] = torch.tensor([[1.0, 2.0], [4.0, 3.0]])
    stretched = torch.zeros(4, 8)
    stretched[:, ::2] = original  # zeros between, as the report fills the double width
    matrices = {
        "original": original,
        "shifted_right": original.roll(1, dims=1),
        "rotated": original.rot90(-1),
        "stretched": stretched,
        "shifted_by_two": F.pad(original, (2, 0))[:, :4],
    }
    pooled = {name: nn.MaxPool2d(3)(matrix[None])[0] for name, matrix in matrices.items()}
    rows = [
        (name, part, row, column, values[row, column].item())
        for name in matrices
        for part, values in (("image", matrices[name]), ("pooled", pooled[name]))
        for row, column in itertools.product(*map(range, values.shape))
    ]
    # The output that corresponds to the only one that the original has.
    values = {name: output[0, 0].item() for name, output in pooled.items()}
    return Result(values, ("matrix", "part", "row", "column", "value"), rows)
