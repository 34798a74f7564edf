"""Grad-CAM: where in the image a network found what speaks for a class (Selvaraju et al. 2017, arXiv 1610.02391)."""

import copy
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.network import as_pixels


@dataclass(frozen=True)
class LastConvolution:
    """Which layer is looked at, and how its map lies over the image.

    rectified: weigh max(0, output), the paper's "rectified convolutional feature maps". Right only where a ReLU
    follows before channels mix (convolution, max-pool, ReLU will do: the order of these two does not matter).
    Otherwise the output is weighed as it leaves the convolution, signs included.
    margin: pixels at each side of the image that lie outside of the outermost cells. Convolutions without padding look
    past the border of no image, so their maps lie over its middle; with padding it is 0 and the map covers all.
    """

    name: str
    rectified: bool = False
    margin: int = 0


# Cell j of the digit network's 8 x 8 map sees pixels 2j to 2j + 13: cells are 2 pixels wide, the first centred on 6.5.
# On 200 MNIST validation digits (python -m benchmarks.grad_cam) these maps agree with what covering a patch changes, correlation
# 0.54, and 70 % of their heat lies on ink; stretched over the whole image 0.24 and 32 %; with signs kept as well 0.11
# and 33 %, and 50 maps are empty.
DIGITS = LastConvolution("conv2", rectified=True, margin=6)


def heat_map(network: nn.Module, image: Tensor, digit: int) -> Tensor:
    """Where the digit network found what speaks for `digit`: (28, 28), in [0, 1].

    image: (28, 28) uint8, 0 = paper, 255 = ink.
    """
    if image.shape != (28, 28) or image.dtype != torch.uint8:
        raise ValueError(f"the image is {image.dtype} of shape {tuple(image.shape)}; give (28, 28) of uint8")
    return heat_maps(network, as_pixels(image.unsqueeze(0)), digit)[0]


def heat_maps(network: nn.Module, images: Tensor, classes: Tensor | int, layer: LastConvolution = DIGITS) -> Tensor:
    """Grad-CAM of each image for its class: (N, H, W), in [0, 1], each map divided by its own maximum.

    images: (N, C, H, W) float, as the network takes them; classes: (N,) int64, or one for all. A map in which
    nothing speaks for the class is 0 everywhere. The gradients are those of the class's logit.

    The network may be in use elsewhere meanwhile, in inference mode or not: it is neither changed nor hooked.
    """
    classes = torch.as_tensor(classes).expand(len(images))
    if len(images) == 0:
        return torch.zeros(0, *images.shape[2:])
    height, width = (side - 2 * layer.margin for side in images.shape[2:])
    with torch.inference_mode(False), torch.enable_grad():
        maps = coarse_maps(network, images.clone(), classes.clone(), layer)  # (N, 1, h, w)
        # Between the middles of cells; with align_corners, between their outer edges, which would push heat outwards.
        inner = F.interpolate(maps, (height, width), mode="bilinear", align_corners=False)
        fine = F.pad(inner, [layer.margin] * 4).squeeze(1)  # (N, H, W)
    # Tiny gradients still have a maximum to be divided by; 0 stays 0.
    most = fine.amax((1, 2), keepdim=True)
    return torch.where(most > 0, fine / most.clamp(min=torch.finfo(fine.dtype).tiny), 0.0)


def coarse_maps(network: nn.Module, images: Tensor, classes: Tensor, layer: LastConvolution) -> Tensor:
    """(N, 1, h, w), not negative, at the size of the layer's output and undivided."""
    from captum.attr import LayerGradCam  # it brings matplotlib: half a second that others need not wait for

    seen_through = _beside(network)
    if layer.rectified:
        parent, _, name = layer.name.rpartition(".")
        convolution = seen_through.get_submodule(layer.name)
        setattr(seen_through.get_submodule(parent), name, nn.Sequential(convolution, nn.ReLU()))
    grad_cam = LayerGradCam(seen_through, seen_through.get_submodule(layer.name))
    maps: Tensor = grad_cam.attribute(images.requires_grad_(), classes, relu_attributions=True)
    return maps.detach()


def _beside(network: nn.Module) -> nn.Module:
    """The same network, parameters shared, whose hooks nobody else's prediction runs into."""
    shared = {id(tensor): tensor for tensor in chain(network.parameters(), network.buffers())}
    return copy.deepcopy(network, shared).eval()
