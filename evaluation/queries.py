"""A model seen as a black box: pixels in, probabilities out, and the random numbers that are tried on it."""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Classifier = Callable[[Tensor], Tensor]  # (B, C, H, W) float to logits (B, classes)

BATCH = 300  # images a forward pass: what the first convolution makes of them stays in the second-level cache


@dataclass(frozen=True)
class Pixels:
    """The values a pixel may take: low to high, whole numbers only or everything between."""

    low: float
    high: float
    whole: bool

    def __post_init__(self) -> None:
        if not (self.low < self.high and self.high > 0):  # distances are told as shares of the upper end
            raise ValueError(
                f"pixels go from {self.low} to {self.high}; the upper end must lie above the lower one and 0"
            )


def pixels_of(images: Tensor) -> Pixels:
    """0 to 255 in whole numbers for integer images, 0 to 1 for floating ones.

    Raises ValueError, with what to do, if a pixel lies outside.
    """
    pixels = Pixels(0, 1, whole=False) if images.is_floating_point() else Pixels(0, 255, whole=True)
    check_pixels(images, pixels)
    return pixels


def check_pixels(images: Tensor, pixels: Pixels) -> None:
    """Raises ValueError unless all pixels lie in the range."""
    if not len(images):
        return
    low, high = images.min().item(), images.max().item()
    if not (pixels.low <= low and high <= pixels.high):  # so that nan is refused too
        raise ValueError(
            f"pixels go from {low:g} to {high:g}, outside {pixels.low:g} to {pixels.high:g}; "
            "scale the images, or say pixels=Pixels(low, high, whole) for another range"
        )


class BlackBox:
    """Answers with probabilities for batches of any size; never asked for a gradient.

    The classifier is handed (B, C, H, W) float32 with whole-number pixels scaled to [0, 1], as torchvision's
    transforms do, and floating ones as they are; `raw` hands over whole numbers unscaled.
    """

    def __init__(self, classifier: Classifier, pixels: Pixels, raw: bool = False) -> None:
        if isinstance(classifier, nn.Module) and classifier.training:
            raise ValueError("the model is in training mode, where dropout makes its answers random; call model.eval()")
        self._classifier = classifier
        self._scale = pixels.high if pixels.whole and not raw else None
        self._device = torch.device("cpu")
        self._layout: dict[str, Tensor] | None = None  # not known before the first image
        if isinstance(classifier, nn.Module):
            self._device = next((weight.device for weight in classifier.parameters()), self._device)

    @torch.inference_mode()
    def probabilities(self, images: Tensor) -> Tensor:
        """images: (N, C, H, W) float32; result: (N, classes) float32, softmax of the logits.

        Single precision as models answer in: where it ends at 1, a search walks at random, as robustcheck's does.
        Raises ValueError if the classifier answers with anything but finite logits, one row an image.
        """
        return torch.cat([self._ask(part) for part in images.split(BATCH)])

    def _logits(self, images: Tensor) -> Tensor:
        if not isinstance(self._classifier, nn.Module):
            return self._classifier(images)
        if self._layout is None:
            self._layout = _faster_layout(self._classifier, images[:1])
        # The model itself runs, so whoever counts its calls counts right; its weights are as before afterwards.
        logits: Tensor = torch.func.functional_call(self._classifier, self._layout, (images,))
        return logits

    def _ask(self, images: Tensor) -> Tensor:
        if self._scale is not None:
            images = images / self._scale
        logits = self._logits(images.to(self._device))
        if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != len(images):
            shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise ValueError(f"the model answers {len(images)} images with {shape}; it must give logits (N, classes)")
        probabilities = torch.softmax(logits.float(), 1).cpu()
        if not torch.isfinite(probabilities.sum()):
            raise ValueError(
                "the model answers with numbers that are not finite; look at its weights and at the pixel range"
            )
        return probabilities


def _faster_layout(module: nn.Module, image: Tensor) -> dict[str, Tensor]:
    """The weights of its convolutions, laid out channel by channel: the same numbers, twice as fast on CPUs.

    Nothing for a forward that asks for the plain layout, with .view() for example. That is tried on a copy without hooks, so
    that the model is asked no question that is not charged.
    """
    if isinstance(module, torch.jit.ScriptModule) or image.device.type != "cpu":
        return {}
    weights = ((name, weight.detach()) for name, weight in module.named_parameters())
    layout = {name: weight.to(memory_format=torch.channels_last) for name, weight in weights if weight.ndim == 4}
    try:
        beside = copy.deepcopy(module)
        for part in beside.modules():
            part._forward_hooks.clear()
            part._forward_pre_hooks.clear()
        torch.func.functional_call(beside, layout, (image,))
    except Exception:  # whatever is wrong with it is told when the model itself is asked
        return {}
    return layout


class Draws:
    """Random numbers that depend on seed, image, step and place alone.

    So an image meets the same attack whatever is attacked beside it, whatever has finished and whatever the batch.
    """

    def __init__(self, seed: int, images: NDArray[np.int64]) -> None:
        """images: (N,) numbers of the images, which choose their streams."""
        with np.errstate(over="ignore"):
            self._streams = _mix(_mix(np.uint64(seed % 2**64)) + (images.astype(np.uint64) + np.uint64(1)) * _STEP)

    def bits(self, active: NDArray[np.int64], step: int, count: int) -> NDArray[np.uint64]:
        """(A, count) numbers of 64 random bits for the active ones of the images."""
        with np.errstate(over="ignore"):
            begins = _mix(self._streams[active] + np.uint64(step + 1) * _STEP)
            return _mix(begins[:, None] + np.arange(1, count + 1, dtype=np.uint64) * _STEP)


_STEP = np.uint64(0x9E3779B97F4A7C15)


def _mix(x: NDArray[np.uint64] | np.uint64) -> NDArray[np.uint64]:
    """SplitMix64's output function (Steele, Lea and Flood 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)))


def below(bits: NDArray[np.uint64], end: int | NDArray[np.int64]) -> NDArray[np.int64]:
    """Whole numbers from 0 up to, but not, `end`, each as likely."""
    return (((bits >> np.uint64(32)) * np.asarray(end, dtype=np.uint64)) >> np.uint64(32)).astype(np.int64)


def fraction(bits: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Numbers from 0 up to, but not, 1."""
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def values(bits: NDArray[np.uint64], pixels: Pixels) -> NDArray[np.float32]:
    """Uniform values a pixel may take, both ends included where they are whole."""
    if pixels.whole:
        return (pixels.low + below(bits, int(pixels.high - pixels.low) + 1)).astype(np.float32)
    return np.clip(pixels.low + fraction(bits) * (pixels.high - pixels.low), pixels.low, pixels.high).astype(np.float32)
