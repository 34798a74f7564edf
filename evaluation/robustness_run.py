"""A robustness run from start to files: what `python -m evaluation robustness` does."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.black_box import Attack, EpsilonGreedy, EvoBA, Report, SimBA, attack_images
from evaluation.conditions import conditions
from evaluation.extras import need
from evaluation.robustness import robustness_statistics
from evaluation.robustness_files import save_artifacts
from evaluation.tracking import log_to_mlflow, need_mlflow
from model.clean_digits import Digits
from model.weights import Weights, build_network

# By the names of the command line.
ATTACKS: dict[str, Attack] = {"evoba": EvoBA(), "epsilon-greedy": EpsilonGreedy(), "simba": SimBA()}


@dataclass(frozen=True)
class Tracking:
    """Where in MLflow a run goes."""

    run_name: str
    experiment_name: str
    tracking_uri: str


def run_robustness(
    weights: Weights,
    digits: Digits,
    images: int,
    source: str,
    attack: str,
    seed: int,
    budget: int | None,
    folder: Path,
    tracking: Tracking | None,
    report: Report,
) -> dict[str, Any]:
    """Attack the first so many test digits, write the artifacts, log where asked to; gives figures with their conditions.

    source: where the digits are from. attack: one of ATTACKS. Files are complete before anything is logged.
    Raises ExtraMissing before the work, not after it.
    """
    need("matplotlib")
    if tracking:
        need_mlflow()
    chosen, began = Digits(digits.images[:images], digits.labels[:images]), time.perf_counter()
    attacked = attack_images(
        build_network(weights), chosen.images, chosen.labels, ATTACKS[attack], seed=seed, budget=budget, report=report
    )
    seconds, data = time.perf_counter() - began, f"{source}, test, the first {len(chosen)}"
    made_with = {"weights_id": weights.id, "round": weights.card.round, "data": data, **conditions()}
    made_with |= {"seconds": seconds, "queries_per_second": int(attacked.queries.sum()) / seconds}
    save_artifacts(attacked, folder, made_with)
    statistics = robustness_statistics(attacked)
    figures = {**made_with, **statistics, "folder": str(folder), "mlflow_run": None}
    if tracking:
        figures["mlflow_run"] = log_to_mlflow(
            attacked, tracking.run_name, tracking.experiment_name, tracking.tracking_uri, made_with
        )
    return figures


def in_words(figures: dict[str, Any]) -> list[str]:
    """What a person wants to know first, with its conditions."""
    attack, budget = figures["attack"], figures["budget"]
    lines = [
        f"weights {figures['weights_id']}, {figures['data']}: {attack['name']}, "
        f"{f'budget {budget} queries' if budget else 'no budget of queries'}, seed {figures['seed']}",
        f"accuracy {_percent(figures, 'clean_accuracy')} before, {_percent(figures, 'adversarial_accuracy')} after",
    ]
    if figures["count_attacked"] == 0:
        return [*lines, "nothing to attack: the model read no image correctly", _where(figures)]
    lines.append(
        f"fooled {figures['count_succ']} of {figures['count_attacked']} attacked, {_percent(figures, 'success_rate')}"
    )
    if figures["count_succ"]:
        lines.append(
            f"of those fooled, median (mean): {figures['queries_succ_median']:.0f} ({figures['queries_succ_mean']:.0f}) queries, "
            f"L0 {figures['l0_dists_succ_median']:.0f} ({figures['l0_dists_succ_mean']:.1f}) pixels, "
            f"L2 {figures['l2_dists_succ_median']:.2f} ({figures['l2_dists_succ_mean']:.2f}) on pixels from 0 to 1"
        )
    return [*lines, _where(figures)]


def _where(figures: dict[str, Any]) -> str:
    logged = f"; MLflow run {figures['mlflow_run']}" if figures["mlflow_run"] else ""
    return (
        f"{figures['seconds']:.1f} s, {figures['queries_per_second']:,.0f} queries/s; "
        f"results and figures in {figures['folder']}{logged}"
    )


def _percent(figures: dict[str, Any], name: str) -> str:
    if figures[name] is None:
        return "unknown"
    value, low, high = (100 * figures[name + end] for end in ("", "_low", "_high"))
    return f"{value:.1f} % (95 % interval {low:.1f} to {high:.1f})"
