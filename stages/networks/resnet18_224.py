"""ResNet-18 at 224 pixels: torchvision's own network on images resized to its input size (report A).

The one network that imports torchvision: that it is torchvision's, unchanged, is what the report compares.
"""

import torchvision
from torch import Tensor, nn
from torch.nn.functional import interpolate


class ResNet18At224(nn.Module):
    """torchvision's ResNet-18, not pretrained. side: of the resized images, in pixels; the report's is 224."""

    def __init__(self, classes: int, side: int = 224) -> None:
        super().__init__()
        self.side = side
        self.network = torchvision.models.resnet18(weights=None, num_classes=classes)

    def forward(self, images: Tensor) -> Tensor:
        """Images [B, 3, 32, 32] → logits [B, classes]; resizing is bilinear."""
        resized = interpolate(images, size=(self.side, self.side), mode="bilinear", align_corners=False)
        return self.network(resized)
