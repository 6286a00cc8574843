"""Statements about convolution over text."""

import torch
import torch.nn.functional as F

from stages.lib.statements import Result


def text_cnn_shapes(seed: int) -> Result:
    """Shapes that report D's printed code passes through (D-textcnn-shapes).

    A batch of 3 sentences, 20 words of 200 numbers each; 50 kernels, 3 words high and a word vector wide, padded by
    one word at either end; tanh; mean over the 20 words. The report's comments say [3, 50, 20, 1] after the
    convolution and [3, 50] at the end. The same kernels as a one-dimensional convolution give the same numbers.
    """
    torch.manual_seed(seed)
    sentences = torch.rand(3, 20, 200)
    convolution = torch.nn.Conv2d(1, 50, kernel_size=[3, 200], stride=1, padding=[1, 0])
    with torch.no_grad():
        convolved = convolution(sentences.unsqueeze(1))
        squeezed = torch.tanh(convolved.squeeze(3))
        pooled = F.avg_pool1d(squeezed, kernel_size=20, padding=0, stride=1)
        output = pooled.squeeze(2)
        kernels = convolution.weight.squeeze(1).transpose(1, 2)  # [kernels, width of a word vector, words]
        flat = F.conv1d(sentences.transpose(1, 2), kernels, convolution.bias, padding=1)
    shapes = {"convolution": convolved, "squeezed": squeezed, "pooled": pooled, "output": output}
    values: dict[str, float] = {
        f"{name}_size_{axis}": size for name, tensor in shapes.items() for axis, size in enumerate(tensor.shape)
    }
    values["output_dimensions"] = output.ndim
    values["difference_from_conv1d"] = (convolved.squeeze(3) - flat).abs().max().item()
    return Result(values)
