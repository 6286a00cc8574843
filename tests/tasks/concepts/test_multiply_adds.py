import pytest
import torch
from torch import nn

from stages.tasks.concepts import multiply_adds

#: GFLOPs in torchvision's documentation of its weights, two decimals.
TORCHVISION = {18: 1.81, 34: 3.66, 50: 4.09, 101: 7.80, 152: 11.51}
#: Table 1 of He et al. 2016; one unit of the last digit apart, as it is not said whether it is rounded or cut off.
PAPER = {18: 1.8, 34: 3.6, 50: 3.8, 101: 7.6, 152: 11.3}


@pytest.mark.parametrize("depth", [18, 34, 50, 101, 152])
def test_counts_are_those_of_torchvision_and_of_the_paper(depth: int) -> None:
    values = multiply_adds.resnets(0).values
    assert values[f"multiply_adds_resnet{depth}_torchvision"] / 1e9 == pytest.approx(TORCHVISION[depth], abs=0.005)
    assert values[f"multiply_adds_resnet{depth}"] / 1e9 == pytest.approx(PAPER[depth], abs=0.1)
    assert values[f"layers_resnet{depth}"] == depth


def test_one_convolution_and_one_linear_layer_by_formula() -> None:
    with torch.device("meta"):
        network = nn.Sequential(
            nn.Conv2d(3, 8, 7, stride=2, padding=3), nn.AvgPool2d(112), nn.Flatten(), nn.Linear(8, 5)
        )
    assert multiply_adds.multiply_adds(network) == 112 * 112 * 8 * 3 * 49 + 8 * 5
