"""The network of the classic PyTorch MNIST tutorial, layer for layer."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Mean and standard deviation of the MNIST training pixels, as the tutorial uses them.
PIXEL_MEAN, PIXEL_STD = 0.1307, 0.3081
PARAMETER_COUNT = 21_840


class Network(nn.Module):
    """conv 1->10 5x5, max-pool, ReLU, conv 10->20 5x5, max-pool, ReLU, 320 -> 50 -> 10.

    forward takes (N, 1, 28, 28) with pixels in [0, 1] and returns logits (N, 10); normalisation
    is inside. `dropout` acts where the tutorial has it: on the second convolution's channels and
    before the last layer. Raises ValueError if it is not in [0, 1).
    """

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        if not 0.0 <= dropout < 1.0:
            raise ValueError(f"dropout is {dropout}; choose a share from 0 up to, but not, 1")
        self.dropout = dropout
        self.conv1 = nn.Conv2d(1, 10, kernel_size=5)
        self.conv2 = nn.Conv2d(10, 20, kernel_size=5)
        self.fc1 = nn.Linear(320, 50)
        self.fc2 = nn.Linear(50, 10)

    def forward(self, images: Tensor) -> Tensor:
        x = self.features(images)
        if self.dropout:
            x = F.dropout(x, self.dropout, self.training)
        logits: Tensor = self.fc2(x)  # (N, 10)
        return logits

    def features(self, images: Tensor) -> Tensor:
        """The penultimate layer: (N, 50), not negative."""
        x = (images - PIXEL_MEAN) / PIXEL_STD
        x = F.relu(F.max_pool2d(self.conv1(x), 2))  # (N, 10, 12, 12)
        x = self.conv2(x)
        if self.dropout:
            x = F.dropout2d(x, self.dropout, self.training)
        x = F.relu(F.max_pool2d(x, 2)).flatten(1)  # (N, 320)
        return F.relu(self.fc1(x))  # (N, 50)


def as_pixels(images: Tensor) -> Tensor:
    """(N, 28, 28) uint8, 0 to 255, to the (N, 1, 28, 28) float in [0, 1] the network takes."""
    return images.unsqueeze(1).to(torch.float32) / 255
