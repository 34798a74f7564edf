"""How hard a model is to fool: the statistics of an attack, under the names the package robustcheck gave them."""

from dataclasses import asdict
from statistics import fmean, median
from typing import Any

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from evaluation.black_box import Attack, Attacked, EvoBA, Report, attack_images
from evaluation.metrics import share
from evaluation.queries import Classifier, Pixels


def check_robustness(
    classifier: Classifier,
    images: Tensor | ArrayLike,
    labels: Tensor | ArrayLike,
    attack: Attack | None = None,
    *,
    seed: int = 0,
    budget: int | None = None,
    pixels: Pixels | None = None,
    raw: bool = False,
    report: Report | None = None,
) -> dict[str, Any]:
    """Attack and count: `robustness_statistics` of `attack_images`, with its arguments; EvoBA unless said otherwise."""
    return robustness_statistics(
        attack_images(
            classifier,
            images,
            labels,
            attack or EvoBA(),
            seed=seed,
            budget=budget,
            pixels=pixels,
            raw=raw,
            report=report,
        )
    )


def robustness_statistics(attacked: Attacked) -> dict[str, Any]:
    """The figures of an attack, ready for JSON. What is a mean or a share of nothing is None, never nan.

    count_succ, count_fail: images fooled or not, of those read correctly and so attacked; indices_succ, indices_fail:
    which, among the images given. queries_succ: model evaluations, the first look included; l0_dists_succ: entries
    that differ; l2_dists_succ: norms of the differences in the images' own units. With s the pixel maximum and P
    the entries of an image, l2_dists_succ_mean is their mean / s and l2_dists_succ_mean_pp their mean / (P * s).
    adversarial_accuracy: count_fail / images given. Beside these robustcheck names: medians, Wilson 95 % intervals
    (..._low, ..._high), clean_accuracy, success_rate of the attacked, queries spent on all, and accuracy_by_queries:
    [queries, share of the given images still read correctly by then] wherever it changes.
    """
    fooled = attacked.fooled
    succ = fooled.nonzero()[:, 0].tolist()
    fail = (attacked.correct & ~fooled).nonzero()[:, 0].tolist()
    queries = attacked.queries[fooled].tolist()
    l0, l2 = distances(attacked.images[fooled], attacked.best[fooled])
    s, entries = attacked.pixels.high, attacked.images[0].numel() if len(attacked) else 0
    l2_mean = _mean(l2)
    return {
        "attack": {"name": type(attacked.attack).__name__, **_settings(attacked.attack)},
        "seed": attacked.seed,
        "budget": attacked.budget,
        "pixels": asdict(attacked.pixels),
        "count_given": len(attacked),
        "count_attacked": len(succ) + len(fail),
        "count_succ": len(succ),
        "count_fail": len(fail),
        "indices_succ": succ,
        "indices_fail": fail,
        "queries_succ": queries,
        "queries_succ_mean": _mean(queries),
        "queries_succ_median": _median(queries),
        "queries_total": int(attacked.queries.sum()),
        "l0_dists_succ": l0,
        "l0_dists_succ_mean": _mean(l0),
        "l0_dists_succ_median": _median(l0),
        "l2_dists_succ": l2,
        "l2_dists_succ_mean": None if l2_mean is None else l2_mean / s,
        "l2_dists_succ_median": None if not l2 else median(l2) / s,
        "l2_dists_succ_mean_pp": None if l2_mean is None else l2_mean / (entries * s),
        **_share("clean_accuracy", len(succ) + len(fail), len(attacked)),
        **_share("success_rate", len(succ), len(succ) + len(fail)),
        **_share("adversarial_accuracy", len(fail), len(attacked)),
        "accuracy_by_queries": _accuracy_by_queries(queries, len(fail), len(attacked)),
    }


def distances(images: Tensor, others: Tensor) -> tuple[list[int], list[float]]:
    """How many entries differ, and the norm of the difference, for each of N images; exact for integers of any kind."""
    difference = (images.double() - others.double()).flatten(1) if len(images) else torch.zeros(0, 1)
    return (images != others).flatten(1).sum(1).tolist() if len(images) else [], difference.norm(dim=1).tolist()


def _accuracy_by_queries(queries: list[int], not_fooled: int, given: int) -> list[list[float]]:
    """[queries, accuracy] from 0 on, one pair wherever it changes. One rule for all budgets, whatever the attack's own."""
    if not given:
        return []
    left = [(spent, not_fooled + sum(each > spent for each in queries)) for spent in sorted({0, *queries})]
    return [[spent, images / given] for spent, images in left]


def _share(name: str, hits: int, n: int) -> dict[str, float | None]:
    figures = share(hits, n)
    return {name: figures.value, f"{name}_low": figures.low, f"{name}_high": figures.high}


def _settings(attack: Attack) -> dict[str, Any]:
    return asdict(attack)  # type: ignore[call-overload, no-any-return]


def _mean(numbers: list[int] | list[float]) -> float | None:
    return fmean(numbers) if numbers else None


def _median(numbers: list[int] | list[float]) -> float | None:
    return float(median(numbers)) if numbers else None
