"""Image networks against the figures of papers and torchvision: parameters, shapes, and what they compute."""

import pytest
import torch
import torchvision
from torch import nn

from stages.networks.fast_cnn import FastCNN, whitening
from stages.networks.fpn_cnn import FPNCNN
from stages.networks.resnet18 import BasicBlock, ResNet18
from stages.networks.resnet18_224 import ResNet18At224
from stages.networks.simple_cnn import SimpleCNN

WIDTHS = (32, 64, 128, 256, 512)
IMAGES = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    "network",
    [
        SimpleCNN(10, WIDTHS, 256),
        SimpleCNN(10, WIDTHS, 256, normalization="none"),
        FPNCNN(10, WIDTHS, 128),
        ResNet18(10),
        ResNet18At224(10, side=64),
        FastCNN(10, (64, 256, 256), torch.eye(12).tolist()),
    ],
    ids=["simple", "simple without batch norm", "FPN", "ResNet-18", "torchvision", "fast"],
)
def test_images_become_ten_logits_in_either_layout(network: nn.Module) -> None:
    network.eval()
    with torch.no_grad():
        plain = network(IMAGES)
        last = network.to(memory_format=torch.channels_last)(IMAGES.to(memory_format=torch.channels_last))
    assert plain.shape == (2, 10)
    assert torch.allclose(plain, last, atol=1e-4)


def test_the_simple_cnn_has_the_parameters_that_its_layers_add_up_to() -> None:
    inputs = (3, *WIDTHS)
    head = 512 * 256 + 256 + 256 * 10 + 10
    weights = sum(9 * a * b for a, b in zip(inputs, WIDTHS, strict=False))
    # A batch norm has scale and shift where a plain convolution has a bias.
    assert parameters(SimpleCNN(10, WIDTHS, 256)) == weights + 2 * sum(WIDTHS) + head
    assert parameters(SimpleCNN(10, WIDTHS, 256, normalization="none")) == weights + sum(WIDTHS) + head
    assert not [m for m in SimpleCNN(10, WIDTHS, 256, normalization="none").modules() if isinstance(m, nn.BatchNorm2d)]


def test_five_blocks_go_from_32_pixels_to_one() -> None:
    maps, sides = IMAGES, []
    for block in SimpleCNN(10, WIDTHS, 256).blocks:
        maps = block(maps)
        sides.append(maps.shape[1:])
    assert [tuple(side) for side in sides] == [(32, 16, 16), (64, 8, 8), (128, 4, 4), (256, 2, 2), (512, 1, 1)]
    with pytest.raises(ValueError, match="5 widths"):
        SimpleCNN(10, (8, 8), 16)


def test_the_pyramid_adds_each_map_to_the_upsampled_one_above() -> None:
    network = FPNCNN(10, WIDTHS, 16).eval()
    with torch.no_grad():
        levels = network.pyramid(IMAGES)
        assert [level.shape[1:] for level in levels] == [(16, side, side) for side in (16, 8, 4, 2, 1)]
        maps = [IMAGES]
        for block in network.blocks:
            maps.append(block(maps[-1]))
        upsample = nn.Upsample(scale_factor=2, mode="bilinear")
        for level in range(4):
            expected = network.laterals[level](maps[level + 1]) + upsample(levels[level + 1])
            assert torch.allclose(levels[level], expected, atol=1e-5)
        logits = [head(level.flatten(1)) for head, level in zip(network.heads, levels, strict=True)]
        assert torch.allclose(network(IMAGES), sum(logits), atol=1e-5)
        # The reason for reading whole maps: in the means there is no pyramid left.
        below = 0
        for level in reversed(range(5)):
            below = below + network.laterals[level](maps[level + 1].mean((2, 3), keepdim=True))
            assert torch.allclose(levels[level].mean((2, 3), keepdim=True), below, atol=1e-5)
    assert len(network.heads) == 5


def test_resnet_18_has_its_known_number_of_parameters() -> None:
    """11,173,962: the CIFAR ResNet-18 of He et al.'s recipe with ten classes, as published counts have it (11.17 M)."""
    own = ResNet18(10)
    theirs = torchvision.models.resnet18(num_classes=10)
    assert parameters(own) == 11_173_962
    # It differs from torchvision's by the stem alone: 3×3 for 7×7.
    assert parameters(theirs) - parameters(own) == 64 * 3 * (49 - 9)
    projections = [b for b in own.stages if isinstance(b, BasicBlock) and not isinstance(b.shortcut, nn.Identity)]
    assert len(own.stages) == 8
    assert len(projections) == 3


def test_resnet_18_computes_what_torchvisions_layers_do_with_a_small_stem() -> None:
    own = ResNet18(10).eval()
    theirs = torchvision.models.resnet18(num_classes=10).eval()
    theirs.conv1, theirs.maxpool = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.Identity()
    # Both list their weights in the order of computation.
    tensors = list(own.state_dict().values())
    assert [tensor.shape for tensor in tensors] == [tensor.shape for tensor in theirs.state_dict().values()]
    theirs.load_state_dict(dict(zip(theirs.state_dict(), tensors, strict=True)))
    with torch.no_grad():
        assert torch.allclose(own(IMAGES), theirs(IMAGES), atol=1e-4)


def test_resnet_18_at_224_is_torchvisions_on_enlarged_images() -> None:
    network = ResNet18At224(1000)
    assert parameters(network) == 11_689_512  # torchvision's documentation
    assert network.side == 224
    seen = []
    network.network.register_forward_pre_hook(lambda _, given: seen.append(given[0].shape))
    with torch.no_grad():
        assert network.eval()(IMAGES[:1]).shape == (1, 1000)
    assert seen == [(1, 3, 224, 224)]


def test_whitened_patches_are_uncorrelated_with_variance_1() -> None:
    generator = torch.Generator().manual_seed(1)
    patches = torch.randn(4000, 12, generator=generator, dtype=torch.float64)
    patches = patches @ (torch.eye(12) + 0.1 * torch.randn(12, 12, generator=generator)).double()
    filters = whitening(patches.T @ patches / len(patches))
    assert filters.shape == (24, 3, 2, 2)
    assert torch.equal(filters[:12], -filters[12:])
    out = patches @ filters[:12].reshape(12, 12).T
    assert torch.allclose(out.T @ out / len(out), torch.eye(12, dtype=torch.float64), atol=0.02)


def test_the_fast_network_has_the_parameters_of_airbench94() -> None:
    """Its published count is about 1.97 million with widths 64, 256, 256."""
    network = FastCNN(10, (64, 256, 256), torch.eye(12).tolist())
    trained = sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
    convolutions = 9 * (24 * 64 + 64 * 64 + 64 * 256 + 256 * 256 + 256 * 256 + 256 * 256)
    assert trained == 24 + convolutions + 2 * (64 + 256 + 256) + 256 * 10
    assert 1.96e6 < parameters(network) < 1.98e6
    assert not network.whiten.weight.requires_grad


def test_the_fast_networks_shifts_learn_64_times_as_fast() -> None:
    """One step of plain gradient descent moves a batch norm's shift by 64 times learning rate and gradient."""
    network = FastCNN(10, (64, 256, 256), torch.eye(12).tolist())
    norm = network.groups[2].norms[1]
    received = []
    norm.register_full_backward_hook(lambda _, __, output: received.append(output[0].sum((0, 2, 3))))
    before = norm.bias.detach().clone()
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
    nn.functional.cross_entropy(network(IMAGES), torch.arange(len(IMAGES)) % 10).backward()
    optimizer.step()
    assert received[0].abs().max() > 0
    assert torch.allclose(norm.bias, before - 64e-3 * received[0], rtol=1e-4, atol=1e-8)
