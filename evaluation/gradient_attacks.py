"""Attacks that follow the gradient: FGSM and PGD in the L-infinity norm, made by the Adversarial Robustness Toolbox.

FGSM: Goodfellow et al. 2015 (arXiv 1412.6572). PGD: Madry et al. 2018 (arXiv 1706.06083); their 40 steps, with steps of
epsilon / 10 as here, are the usual attack on MNIST.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from evaluation.extras import need

ROUNDING = 1e-6  # float32 sums end this far beyond epsilon
BATCH = 500

Report = Callable[[int, int], None]


@dataclass(frozen=True)
class GradientAttack:
    """How far an attack may change each pixel (epsilon, of a range of 1), and how hard it tries."""

    method: Literal["FGSM", "PGD"]
    epsilon: float
    steps: int = 1
    restarts: int = 0  # random starts within epsilon, the best kept; 0: one start, at the image itself

    def __post_init__(self) -> None:
        if not 0 < self.epsilon <= 1:
            raise ValueError(f"epsilon is {self.epsilon}; give a share of the pixel range, above 0 and at most 1")
        if self.steps < 1 or self.restarts < 0:
            raise ValueError(f"{self.steps} steps and {self.restarts} restarts are no attack; give 1 and 0 or more")
        if self.method == "FGSM" and (self.steps, self.restarts) != (1, 0):
            raise ValueError("FGSM is a single step from the image itself; use PGD for more")

    @property
    def step_size(self) -> float:
        """PGD's steps together go four times epsilon: 40 steps of epsilon / 10 each."""
        return self.epsilon if self.method == "FGSM" else self.epsilon * 4 / max(self.steps, 4)

    @property
    def name(self) -> str:
        return f"{self.method.lower()}-{self.epsilon:g}"

    def __str__(self) -> str:
        how = (
            ""
            if self.method == "FGSM"
            else f", {self.steps} steps of {self.step_size:.3g}, {self.restarts} random start"
        )
        return f"{self.method}, L-infinity, epsilon {self.epsilon:g}{how}{'s' if self.restarts > 1 else ''}"


ATTACKS = (
    GradientAttack("FGSM", 0.1),
    GradientAttack("FGSM", 0.3),
    GradientAttack("PGD", 0.1, steps=40, restarts=1),
    GradientAttack("PGD", 0.3, steps=40, restarts=1),
)


def attack_along_gradient(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    attack: GradientAttack,
    seed: int,
    report: Report = lambda *_: None,
) -> Tensor:
    """The images changed so that the network misreads them, where the attack finds a way.

    images: (N, C, H, W) float, pixels in [0, 1]; labels: (N,), the true classes, which the attack steers away from. The
    result has the same shape. Global random state of torch and numpy is left as it was. `report(images, of)` is called
    after each batch. Raises ExtraMissing without the library, ValueError if an attacked image leaves epsilon or the
    pixel range: a score on such an image means nothing.
    """
    if len(images) != len(labels):
        raise ValueError(f"there are {len(images)} images and {len(labels)} labels; give each image its class")
    if not len(images):
        return images.clone()
    if float(images.min()) < 0 or float(images.max()) > 1:
        raise ValueError("the images have pixels outside 0 to 1; divide 8-bit images by 255")
    evasion = need("art.attacks.evasion", "adversarial-robustness-toolbox")
    estimator = _estimator(network, images)
    if attack.method == "FGSM":
        made = evasion.FastGradientMethod(estimator, norm=np.inf, eps=attack.epsilon, batch_size=BATCH)
    else:
        made = evasion.ProjectedGradientDescentPyTorch(
            estimator,
            norm=np.inf,
            eps=attack.epsilon,
            eps_step=attack.step_size,
            max_iter=attack.steps,
            num_random_init=attack.restarts,
            batch_size=BATCH,
            verbose=False,
        )
    numpy_state = np.random.get_state()
    parts = []
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            np.random.seed(seed)
            for x, y in zip(images.split(BATCH), labels.split(BATCH), strict=True):
                parts.append(torch.from_numpy(made.generate(x.numpy(), y.numpy())))
                report(sum(map(len, parts)), len(images))
    finally:
        np.random.set_state(numpy_state)
    attacked = torch.cat(parts)
    check_within(images, attacked, attack.epsilon)
    return attacked


def check_within(images: Tensor, attacked: Tensor, epsilon: float) -> None:
    """Raises ValueError unless every pixel stays within epsilon of its image and within 0 to 1."""
    if attacked.shape != images.shape:
        raise ValueError(f"the attack made {tuple(attacked.shape)} of {tuple(images.shape)}; its score means nothing")
    if not torch.isfinite(attacked).all():
        raise ValueError("the attack made pixels that are not numbers; its score means nothing")
    moved = float((attacked - images).abs().max()) if len(images) else 0.0
    if moved > epsilon + ROUNDING:
        raise ValueError(f"the attack moved a pixel by {moved:.6f}, more than its epsilon of {epsilon:g}")
    if len(images) and (float(attacked.min()) < 0 or float(attacked.max()) > 1):
        raise ValueError("the attack left the pixel range of 0 to 1; its score means nothing")


def _estimator(network: nn.Module, images: Tensor) -> object:
    """A copy of the network as the library wants it: in evaluation mode, bound to pixels from 0 to 1.

    Without gradients of its parameters, which nobody asks for, and channels last an attack takes half the time.
    """
    classification = need("art.estimators.classification", "adversarial-robustness-toolbox")
    copied: nn.Module = copy.deepcopy(network).eval().requires_grad_(False)
    copied = copied.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    with torch.inference_mode():
        classes = copied(images[:1]).shape[1]
    return classification.PyTorchClassifier(
        copied,
        loss=nn.CrossEntropyLoss(),
        input_shape=tuple(images.shape[1:]),
        nb_classes=classes,
        clip_values=(0.0, 1.0),
        device_type="cpu",
    )
