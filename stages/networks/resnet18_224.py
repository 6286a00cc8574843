"""ResNet-18 at 224 pixels: report A took torchvision's own network and enlarged the images to what it was made for.

The one network that imports torchvision: that it is torchvision's, unchanged, is what the report compares.
"""

import torchvision
from torch import Tensor, nn
from torch.nn.functional import interpolate


class ResNet18At224(nn.Module):
    """torchvision's ResNet-18, not pretrained. `side` is what images are enlarged to; 224 is the report's."""

    def __init__(self, classes: int, side: int = 224) -> None:
        super().__init__()
        self.side = side
        self.network = torchvision.models.resnet18(weights=None, num_classes=classes)

    def forward(self, images: Tensor) -> Tensor:
        """Images [B, 3, 32, 32] → logits [B, classes]. The whole batch is enlarged at once, bilinearly."""
        enlarged = interpolate(images, size=(self.side, self.side), mode="bilinear", align_corners=False)
        return self.network(enlarged)
