"""Clean digits where MNIST is out of reach: sampled from a small model of MNIST that ships with the repository."""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
import torch
from numpy.typing import NDArray

from model.clean_digits import CleanDigits, CleanDigitsMissing, Digits, load_clean_digits
from model.weights import write_whole

SHIPPED_MIXTURES = Path(__file__).parent / "rehearsal" / "digits.safetensors"
GENERATED = "generated digits"
# Of 255: fainter grey is mostly haze from the principal components. With 40, as much ink as MNIST (33.4 against 33.5).
FIRST_INK = 40
log = logging.getLogger("hoodwink")
Numbers = NDArray[np.float32]


@dataclass(frozen=True)
class MixtureSettings:
    """Chosen on clean validation, see docs/log.md; 1.99 MB as 16-bit numbers."""

    dimensions: int = 80
    components: int = 28
    seed: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.dimensions <= 784 or self.components < 1:
            raise ValueError(f"{self} cannot be fitted; give 1 to 784 dimensions and at least one component")


@dataclass(frozen=True)
class DigitMixtures:
    """A mixture of M Gaussians for each digit, in the space of the first K principal components of all digits.

    mean: (784,) and components: (K, 784), pixels in [0, 1]; weights: (10, M); means: (10, M, K);
    factors: (10, M, K, K), the lower-triangular Cholesky factors of the covariances.
    """

    mean: Numbers
    components: Numbers
    weights: Numbers
    means: Numbers
    factors: Numbers

    def sample(self, per_digit: int, seed: int) -> Digits:
        """`per_digit` images of each digit, the digits taking turns; the same seed gives the same images."""
        random = np.random.default_rng(seed)
        images = np.stack([self._images_of(digit, per_digit, random) for digit in range(10)], axis=1)
        labels = torch.arange(10).repeat(per_digit)
        return Digits(torch.from_numpy(images.reshape(-1, 28, 28)), labels)

    def _images_of(self, digit: int, count: int, random: np.random.Generator) -> NDArray[np.uint8]:
        """(count, 784)"""
        shares = self.weights[digit].astype(np.float64)
        drawn = random.multinomial(count, shares / shares.sum())
        noise = random.standard_normal((count, self.means.shape[2]), dtype=np.float32)
        points = np.concatenate(
            [
                part @ factor.T + mean
                for part, factor, mean in zip(
                    np.split(noise, np.cumsum(drawn)[:-1]), self.factors[digit], self.means[digit], strict=True
                )
            ]
        )  # (count, K), component after component
        pixels = 255 * (random.permutation(points) @ self.components + self.mean)  # (count, 784)
        return np.where(pixels < FIRST_INK, 0, np.clip(np.rint(pixels), 0, 255)).astype(np.uint8)


def fit(digits: Digits, settings: MixtureSettings, report: Callable[[int, int], None]) -> DigitMixtures:
    """Fit the mixtures; `report(digit, 10)` is called after each digit. Needs scikit-learn (requirements-dev.txt)."""
    from sklearn.decomposition import PCA
    from sklearn.mixture import GaussianMixture

    pixels, labels = digits.images.numpy().reshape(-1, 784).astype(np.float32) / 255, digits.labels.numpy()
    space = PCA(settings.dimensions, svd_solver="covariance_eigh").fit(pixels)
    points = space.transform(pixels).astype(np.float64)  # (N, K)
    mixtures = []
    for digit in range(10):
        mixture = GaussianMixture(
            settings.components,
            covariance_type="full",
            reg_covar=1e-4,
            max_iter=50,
            tol=1e-2,
            random_state=settings.seed,
        )
        mixtures.append(mixture.fit(points[labels == digit]))
        report(digit + 1, 10)
    return DigitMixtures(
        mean=space.mean_.astype(np.float32),
        components=space.components_.astype(np.float32),
        weights=np.stack([m.weights_ for m in mixtures]).astype(np.float32),
        means=np.stack([m.means_ for m in mixtures]).astype(np.float32),
        factors=np.stack([np.linalg.cholesky(m.covariances_) for m in mixtures]).astype(np.float32),
    )


def save_mixtures(mixtures: DigitMixtures, path: Path, card: dict[str, Any]) -> int:
    """Write the mixtures as 16-bit numbers, only the lower triangles of the factors; gives the size in bytes."""
    rows, columns = np.tril_indices(mixtures.factors.shape[-1])
    arrays = {**vars(mixtures), "factors": mixtures.factors[..., rows, columns]}
    halves = {name: np.ascontiguousarray(array, np.float16) for name, array in arrays.items()}
    packed = safetensors.numpy.save(halves, metadata={"card": json.dumps(card, sort_keys=True)})
    write_whole(path, packed)
    return len(packed)


def load_mixtures(path: Path = SHIPPED_MIXTURES) -> DigitMixtures:
    """Raises CleanDigitsMissing if the file is missing or damaged."""
    try:
        arrays = {name: half.astype(np.float32) for name, half in safetensors.numpy.load(path.read_bytes()).items()}
        packed, size = arrays.pop("factors"), arrays["means"].shape[-1]
        factors = np.zeros((*packed.shape[:-1], size, size), np.float32)
        factors[..., *np.tril_indices(size)] = packed
        return DigitMixtures(factors=factors, **arrays)
    except (OSError, safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
        raise CleanDigitsMissing(
            f"there is no MNIST, and {path} is missing or damaged ({error}); restore it or set HOODWINK_MNIST_DIR"
        ) from error


def rehearsal_digits(per_digit: tuple[int, int, int] = (2000, 500, 1000)) -> CleanDigits:
    """The same generated digits every time: so many of each to train on, to decide on and to report."""
    mixtures = load_mixtures()
    train, validation, test = (mixtures.sample(count, seed) for seed, count in enumerate(per_digit, start=1))
    return CleanDigits(train, validation, test, source=GENERATED)


def load_or_rehearse(folder: Path | None, cache_folder: Path) -> CleanDigits:
    """MNIST as load_clean_digits finds it, else generated digits: but where `folder` is given, MNIST from there or nothing.

    Raises CleanDigitsMissing if MNIST is not whole in `folder`.
    """
    try:
        return load_clean_digits(folder, cache_folder)
    except CleanDigitsMissing as missing:
        if folder is not None:
            raise
        log.warning(
            "rehearsing on generated digits instead of MNIST, and measuring clean accuracy on them: %s", missing
        )
        return rehearsal_digits()
