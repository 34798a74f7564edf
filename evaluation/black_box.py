"""Black-box attacks: EvoBA, epsilon-greedy and SimBA, on all images at once.

They see probabilities, never gradients. What they do and what they charge is that of robustcheck 1.1.0, image by image.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from evaluation.queries import (
    BATCH,
    BlackBox,
    Classifier,
    Draws,
    Pixels,
    below,
    check_pixels,
    fraction,
    pixels_of,
    values,
)

Report = Callable[[int, int], None]


class Attack(Protocol):
    def run(self, search: "Search") -> None: ...


@dataclass(frozen=True)
class Attacked:
    """Images before and after an attack. Only images that the model read correctly were attacked.

    images, best: (N, C, H, W) or (N, H, W) as given, floats as float32, which is what was scored; best is the attack's last candidate, the image itself where
    none was tried. labels, before, after (what the model saw in both), queries: (N,) int64; queries is 0 where
    not attacked. correct, fooled: (N,) bool.
    """

    attack: Attack
    seed: int
    budget: int | None
    pixels: Pixels
    images: Tensor
    best: Tensor
    labels: Tensor
    before: Tensor
    after: Tensor
    queries: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def correct(self) -> Tensor:
        return self.before == self.labels

    @property
    def fooled(self) -> Tensor:
        return self.correct & (self.after != self.labels)


def attack_images(
    classifier: Classifier,
    images: Tensor | ArrayLike,
    labels: Tensor | ArrayLike,
    attack: Attack,
    *,
    seed: int = 0,
    budget: int | None = None,
    pixels: Pixels | None = None,
    raw: bool = False,
    report: Report | None = None,
) -> Attacked:
    """Attack all images that the classifier reads correctly, together, until they fool it or give up.

    images: (N, C, H, W), or (N, H, W) for one channel; integers 0 to 255 or floats in [0, 1] unless `pixels` says
    otherwise. The classifier gets (B, C, H, W) float32 and gives logits (B, classes); integers reach it divided by
    255 unless `raw`. budget: most queries an image may cost, the first look included; None: what the attack's own steps allow.
    An image's result depends on its place in the list, the seed and the attack alone, not on what is beside it.
    `report(done, of)` tells how many images are finished.
    Raises ValueError, in a sentence, for images, labels or answers that make no sense.
    """
    given, labels = _tensor(images), _tensor(labels)
    _check(given, labels, budget)
    given, labels = (given.float() if given.is_floating_point() else given), labels.to(torch.int64)
    pixels = pixels or pixels_of(given)
    check_pixels(given, pixels)
    batch = given.unsqueeze(1) if given.ndim == 3 else given
    flat = batch.to(torch.float32)  # (N, C, H, W)
    box = BlackBox(classifier, pixels, raw)
    before, best = labels.new_zeros(len(labels)), given.clone()
    queries, after = torch.zeros_like(before), torch.zeros_like(before)
    if len(labels):
        probabilities = box.probabilities(flat)  # (N, classes)
        if int(labels.min()) < 0 or int(labels.max()) >= probabilities.shape[1]:
            raise ValueError(
                f"labels go from {labels.min()} to {labels.max()}; the model knows 0 to {probabilities.shape[1] - 1}"
            )
        before = probabilities.argmax(1)
        after = before.clone()
        rows = (before == labels).nonzero()[:, 0]
        search = Search(
            box, flat[rows], labels[rows], probabilities[rows], Draws(seed, rows.numpy()), pixels, budget, report
        )
        attack.run(search)
        if report:
            report(len(rows), len(rows))
        best[rows] = search.best.reshape(given[rows].shape).to(given.dtype)
        after[rows], queries[rows] = search.seen, search.queries
    return Attacked(attack, seed, budget, pixels, given, best, labels, before, after, queries)


def _tensor(values: Tensor | ArrayLike) -> Tensor:
    """Whatever numpy or torch can make of it, as a tensor of its own on the CPU."""
    if isinstance(values, Sequence) and len(values) and all(isinstance(each, Tensor) for each in values):
        values = torch.stack([torch.as_tensor(each) for each in values])
    if isinstance(values, Tensor):
        return values.detach().cpu()
    array = np.array(values)  # a copy: an array that is read-only or runs backwards makes no tensor
    return torch.from_numpy(array.astype(np.int64) if array.dtype.kind == "u" and array.itemsize > 1 else array)


def _check(images: Tensor, labels: Tensor, budget: int | None) -> None:
    shape = tuple(images.shape)
    if images.dtype == torch.bool or images.is_complex():
        raise ValueError(f"images are {images.dtype}; give integers from 0 to 255 or floats from 0 to 1")
    if images.ndim not in (3, 4) and images.numel():
        raise ValueError(f"images are {shape}; give (N, C, H, W), or (N, H, W) for one channel")
    if (labels.numel() and labels.is_floating_point()) or labels.shape != images.shape[:1]:
        raise ValueError(
            f"labels are {labels.dtype} {tuple(labels.shape)}; give one whole number for each of {shape[0]} images"
        )
    if images.ndim == 4 and shape[3] in (1, 3) and shape[1] > 4:
        raise ValueError(f"images are {shape}, channels last; give images.permute(0, 3, 1, 2)")
    if budget is not None and budget < 1:
        raise ValueError(f"the query budget is {budget}; the first look at an image costs 1")


class Search:
    """Where the attack on every image stands, and the one way to ask the model: it counts."""

    def __init__(
        self,
        box: BlackBox,
        images: Tensor,
        labels: Tensor,
        probabilities: Tensor,
        draws: Draws,
        pixels: Pixels,
        budget: int | None,
        report: Report | None,
    ) -> None:
        self.shape = images.shape[1:]  # (C, H, W)
        self.places = images.shape[2] * images.shape[3]
        self.channels = images.shape[1]
        self.draws, self.pixels = draws, pixels
        self.best = images.flatten(1).clone()  # (A, C * H * W)
        self.labels = labels
        self.label_probability = probabilities.gather(1, labels[:, None])[:, 0]
        self.seen = probabilities.argmax(1)
        self.queries = torch.ones_like(labels)  # the first look
        self._box, self._budget, self._report = box, budget, report

    def active(self, cost: int = 1) -> Tensor:
        """Rows still to be fooled that can pay `cost` more queries."""
        left = self.seen == self.labels
        if self._budget is not None:
            left &= self.queries + cost <= self._budget
        rows = left.nonzero()[:, 0]
        if self._report:
            self._report(len(left) - len(rows), len(left))
        return rows

    def ask(self, rows: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
        """What the model says of candidates, a query each. rows: (A,); candidates: (A * k, C * H * W), k for each row.

        Gives the probability of the row's label and the class seen, (A, k) each.
        """
        each = len(candidates) // len(rows)
        probabilities = self._box.probabilities(candidates.view(-1, *self.shape))
        self.queries[rows] += each
        labels = self.labels[rows].repeat_interleave(each)
        return probabilities.gather(1, labels[:, None]).view(-1, each), probabilities.argmax(1).view(-1, each)

    def settle(self, rows: Tensor, candidates: Tensor, label_probability: Tensor, seen: Tensor) -> None:
        """Go on from these candidates, one for each row."""
        self.best[rows], self.label_probability[rows], self.seen[rows] = candidates, label_probability, seen

    def entries(self, places: NDArray[np.int64]) -> Tensor:
        """(K,) places in the picture to (K, C) entries of a flat image, all channels of each."""
        return torch.from_numpy(places[:, None] + self.places * np.arange(self.channels))


@dataclass(frozen=True)
class EvoBA:
    """Evolution (Ilie et al. 2021): each generation is offspring of one parent, the fittest is the next, even if worse.

    Offspring differ from the parent in `pixels_per_step` random pixels, drawn with replacement, set to uniform values.
    A generation is charged whole; one that no longer fits the budget is not begun.
    """

    generation: int = 30
    pixels_per_step: int = 1
    steps: int = 100

    def __post_init__(self) -> None:
        _at_least_one(generation=self.generation, pixels_per_step=self.pixels_per_step, steps=self.steps)

    def run(self, search: Search) -> None:
        at_once = max(BATCH // self.generation, 1)
        for step in range(self.steps):
            active = search.active(cost=self.generation)
            if not len(active):
                return
            for rows in active.split(at_once):
                self._next_generation(search, rows, step)

    def _next_generation(self, search: Search, rows: Tensor, step: int) -> None:
        mutations, size = self.pixels_per_step, self.generation
        bits = search.draws.bits(rows.numpy(), step, size * mutations * (1 + search.channels))
        bits = bits.reshape(len(rows) * size, mutations, 1 + search.channels)
        offspring = search.best[rows].repeat_interleave(size, 0)  # (A * size, C * H * W)
        for mutation in range(mutations):
            entries = search.entries(below(bits[:, mutation, 0], search.places))  # (A * size, C)
            offspring.scatter_(1, entries, torch.from_numpy(values(bits[:, mutation, 1:], search.pixels)))
        label_probability, seen = search.ask(rows, offspring)
        fittest = label_probability.argmin(1, keepdim=True)  # (A, 1): fitness is 1 - p(label)
        chosen = offspring[fittest[:, 0] + size * torch.arange(len(rows))]
        search.settle(rows, chosen, label_probability.gather(1, fittest)[:, 0], seen.gather(1, fittest)[:, 0])


@dataclass(frozen=True)
class EpsilonGreedy:
    """A bandit over groups of pixels: mostly the group that has paid best so far, with probability `epsilon` any.

    A random pixel of the group gets a uniform value; kept if the label's probability falls. Groups are squares of
    `patch` x `patch` pixels, cut off at the edge.
    """

    epsilon: float = 0.1
    steps: int = 1000
    patch: int = 4  # robustcheck asks for the groups and has no default

    def __post_init__(self) -> None:
        _at_least_one(steps=self.steps, patch=self.patch)
        if not 0 <= self.epsilon <= 1:
            raise ValueError(f"epsilon is {self.epsilon}; it is the share of random groups, 0 to 1")

    def run(self, search: Search) -> None:
        groups, sizes = pixel_groups(search.shape[1], search.shape[2], self.patch)
        paid = np.zeros((len(search.labels), len(groups)))  # mean fall of the label's probability
        tried = np.zeros_like(paid)
        for step in range(self.steps):
            rows = search.active()
            if not len(rows):
                return
            row = rows.numpy()
            bits = search.draws.bits(row, step, 3 + search.channels)
            chosen = np.where(
                fraction(bits[:, 0]) < self.epsilon,
                below(bits[:, 1], len(groups)),
                _one_of_the_best(paid[row], bits[:, 1]),
            )
            place = groups[chosen, below(bits[:, 2], sizes[chosen])]
            candidates = search.best[rows].scatter_(
                1, search.entries(place), torch.from_numpy(values(bits[:, 3:], search.pixels))
            )
            label_probability, seen = (answer[:, 0] for answer in search.ask(rows, candidates))
            fall = search.label_probability[rows] - label_probability
            tried[row, chosen] += 1
            paid[row, chosen] += (fall.numpy() - paid[row, chosen]) / tried[row, chosen]
            better = fall > 0
            search.settle(rows[better], candidates[better], label_probability[better], seen[better])


@dataclass(frozen=True)
class SimBA:
    """Simple black-box attack (Guo et al. 2019): each entry at most once, up by `epsilon` of the range, else down.

    Kept if the label's probability falls. A step costs one query, or two where upwards did not help.
    """

    epsilon: float = 0.1
    steps: int = 100

    def __post_init__(self) -> None:
        _at_least_one(steps=self.steps)
        if not 0 < self.epsilon <= 1:
            raise ValueError(
                f"epsilon is {self.epsilon}; it is the share of the pixel range a step moves, above 0, up to 1"
            )

    def run(self, search: Search) -> None:
        pixels, size = search.pixels, search.best.shape[1]
        reach = self.epsilon * (pixels.high - pixels.low)
        reach = max(round(reach), 1) if pixels.whole else reach
        left = np.tile(np.arange(size, dtype=np.int32), (len(search.labels), 1))  # entries not tried yet, in front
        for step in range(min(self.steps, size)):
            rows = search.active()
            if not len(rows):
                return
            picked = below(search.draws.bits(rows.numpy(), step, 1)[:, 0], size - step)
            entries = torch.from_numpy(left[rows, picked].astype(np.int64))
            left[rows, picked] = left[rows, size - step - 1]
            for move in (reach, -reach):
                better = self._try(search, rows, entries, move)
                can_pay = torch.isin(rows, search.active())
                rows, entries = rows[~better & can_pay], entries[~better & can_pay]

    def _try(self, search: Search, rows: Tensor, entries: Tensor, move: float) -> Tensor:
        """Move one entry of each row; gives which rows are better for it."""
        if not len(rows):
            return torch.zeros(0, dtype=torch.bool)
        candidates = search.best[rows]
        one_each = torch.arange(len(rows))
        moved = candidates[one_each, entries] + move
        candidates[one_each, entries] = moved.clamp(search.pixels.low, search.pixels.high)  # what is scored is an image
        label_probability, seen = (answer[:, 0] for answer in search.ask(rows, candidates))
        better = label_probability < search.label_probability[rows]
        search.settle(rows[better], candidates[better], label_probability[better], seen[better])
        return better


def pixel_groups(height: int, width: int, patch: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Squares that cover the picture: (groups, patch * patch) places, the first `size` of each count, and the sizes."""
    down, right = np.mgrid[:height, :width]
    across = -(-width // patch)
    of = ((down // patch) * across + right // patch).ravel()
    sizes = np.bincount(of)
    groups = np.zeros((len(sizes), patch * patch), dtype=np.int64)
    order = np.argsort(of, kind="stable")
    groups[of[order], np.arange(len(of)) - np.repeat(np.cumsum(sizes) - sizes, sizes)] = order
    return groups, sizes


def _one_of_the_best(paid: NDArray[np.float64], bits: NDArray[np.uint64]) -> NDArray[np.int64]:
    """(A, groups) to (A,): a group of those that paid best, each as likely."""
    best = paid == paid.max(1, keepdims=True)
    wanted = below(bits, best.sum(1)) + 1
    return np.asarray((best.cumsum(1) == wanted[:, None]).argmax(1))


def _at_least_one(**settings: int) -> None:
    for name, value in settings.items():
        if value < 1:
            raise ValueError(f"{name} is {value}; it must be 1 or more")
