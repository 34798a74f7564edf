"""Train the network of a study and keep its weights."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from torch import nn

from evaluation.metrics import Share, share
from evaluation.study import Images, Report, Study, read_probabilities
from model.weights import Card, save_weights


def train_and_save(
    study: Study, seed: int, epochs: int, label_smoothing: float, folder: Path, report: Report
) -> dict[str, Any]:
    """Plain JSON: the id of the weights and how they read validation and test images. Nothing is chosen on the test set."""
    data = study.load()
    network = study.train(data.train, seed, epochs, label_smoothing, report, lambda *_: None)
    scores = {
        "validation_accuracy": asdict(_accuracy(network, data.validation)),
        "test_accuracy": asdict(_accuracy(network, data.test)),
    }
    card = Card(
        parent=None,
        round=0,
        seed=seed,
        recipe=study.recipe_of(epochs, label_smoothing),
        data={"source": data.source, "train": len(data.train)},
        scores=scores,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    weights = save_weights(network, card, folder)
    return {
        "weights_id": weights.id,
        "study": study.name,
        "source": data.source,
        "seed": seed,
        "epochs": epochs,
        **scores,
    }


def _accuracy(network: nn.Module, images: Images) -> Share:
    right = read_probabilities(network, images.images).argmax(1) == images.labels
    return share(int(right.sum()), len(images))
