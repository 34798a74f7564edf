"""Grad-CAM: where in the image a network found what speaks for a class (Selvaraju et al. 2017, arXiv 1610.02391)."""

import copy
from itertools import chain

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.network import as_pixels


def heat_map(network: nn.Module, image: Tensor, digit: int, *, rectified: bool = True) -> Tensor:
    """Where the digit network found what speaks for `digit`: (28, 28), in [0, 1].

    image: (28, 28) uint8, 0 = paper, 255 = ink.
    """
    if image.shape != (28, 28) or image.dtype != torch.uint8:
        raise ValueError(f"the image is {image.dtype} of shape {tuple(image.shape)}; give (28, 28) of uint8")
    return heat_maps(network, as_pixels(image.unsqueeze(0)), digit, rectified=rectified)[0]


def heat_maps(
    network: nn.Module, images: Tensor, classes: Tensor | int, *, layer: str = "conv2", rectified: bool = True
) -> Tensor:
    """Grad-CAM of each image for its class: (N, H, W), in [0, 1], each map divided by its own maximum.

    images: (N, C, H, W) float, as the network takes them; classes: (N,) int64, or one for all. A map in which
    nothing speaks for the class is 0 everywhere. The gradients are those of the class's logit.

    layer: name of the last convolution. rectified: weigh max(0, its output), the paper's "rectified convolutional
    feature maps". That is right only where a ReLU follows before channels mix, as in the digit network (convolution,
    max-pool, ReLU: the order of these two does not matter). Otherwise the output is weighed as it leaves the
    convolution, signs included. For the digit network that would also count what the ReLU then cuts away: maps of 116
    of the first 500 MNIST test digits would be empty.

    The network may be in use elsewhere meanwhile, in inference mode or not: it is neither changed nor hooked.
    """
    classes = torch.as_tensor(classes).expand(len(images))
    if len(images) == 0:
        return torch.zeros(0, *images.shape[2:])
    with torch.inference_mode(False), torch.enable_grad():
        maps = _coarse_maps(network, images.clone(), classes.clone(), layer, rectified)  # (N, 1, h, w)
        # Of pixel areas, not of corner points: with align_corners, heat at the border would be pushed inwards.
        fine = F.interpolate(maps, images.shape[2:], mode="bilinear", align_corners=False).squeeze(1)  # (N, H, W)
    # Tiny gradients still have a maximum to be divided by; 0 stays 0.
    most = fine.amax((1, 2), keepdim=True)
    return torch.where(most > 0, fine / most.clamp(min=torch.finfo(fine.dtype).tiny), 0.0)


def _coarse_maps(network: nn.Module, images: Tensor, classes: Tensor, layer: str, rectified: bool) -> Tensor:
    """(N, 1, h, w), not negative, at the size of the layer's output."""
    from captum.attr import LayerGradCam  # it brings matplotlib: half a second that others need not wait for

    seen_through = _beside(network)
    if rectified:
        parent, _, name = layer.rpartition(".")
        setattr(seen_through.get_submodule(parent), name, nn.Sequential(seen_through.get_submodule(layer), nn.ReLU()))
    grad_cam = LayerGradCam(seen_through, seen_through.get_submodule(layer))
    maps: Tensor = grad_cam.attribute(images.requires_grad_(), classes, relu_attributions=True)
    return maps.detach()


def _beside(network: nn.Module) -> nn.Module:
    """The same network, parameters shared, whose hooks nobody else's prediction runs into."""
    shared = {id(tensor): tensor for tensor in chain(network.parameters(), network.buffers())}
    return copy.deepcopy(network, shared).eval()
