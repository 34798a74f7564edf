"""Closing a round against training afresh on the same drawings: `python -m benchmarks.fine_tuning`.

Pen digits of 24 writers are played against the round-0 weights until sixty fooled them. Ours: the round is closed as the
product closes it, from reading the ledger to the gate's decision. Peer: the same network trained afresh as PyTorch's MNIST
example trained it, on clean digits and the fooling ones that ours learnt from. Six other writers judge both.
"""

import random
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
import typer
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from benchmarks.arms import spread
from benchmarks.collection import digits_of, pool_and_unseen, supply
from benchmarks.quantiles import times
from benchmarks.results import Row, Section, command
from benchmarks.server import mnist_folder
from evaluation.test_sets import as_digits
from flagging.home import Home
from model.clean_digits import CleanDigits, Digits, load_clean_digits
from model.network import PIXEL_MEAN, PIXEL_STD, Network
from model.served import ServedModel
from model.training import predict_digits
from model.vision import torchvision
from model.weights import build_network, install_shipped, load_weights
from retrain.mixing import mix
from retrain.rounds import close_round
from retrain.settings import FineTuningRecipe, RoundSettings

FOOLING, EPOCHS, THREADS = 60, 10, 2
TIMES = 4  # asked: as fast as training afresh, at least
# As github.com/pytorch/examples had it when the network was this one: SGD, ten epochs.
PEER_BATCH, PEER_DROPOUT, PEER_RATE, PEER_MOMENTUM = 64, 0.5, 0.01, 0.5
SHORT_RECIPE = replace(FineTuningRecipe(), steps=10, bent_drawings=300)


@dataclass(frozen=True)
class Learnt:
    """One way, one seed. clean: accuracy on the MNIST test digits; unseen: on drawings of writers nobody learnt from."""

    seconds: float
    clean: float
    unseen: float


class OneByOne(Dataset[tuple[Tensor, int]]):
    """Digits as torchvision.datasets.MNIST gives them: a PIL image each, transformed when it is asked for."""

    def __init__(self, digits: Digits) -> None:
        transforms = torchvision("transforms")
        self._images, self._labels = digits.images.numpy(), digits.labels
        self._transform: Callable[[Image.Image], Tensor] = transforms.Compose(
            [transforms.ToTensor(), transforms.Normalize((PIXEL_MEAN,), (PIXEL_STD,))]
        )

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, number: int) -> tuple[Tensor, int]:
        return self._transform(Image.fromarray(self._images[number])), int(self._labels[number])


def train_afresh(digits: Digits, epochs: int, seed: int) -> Network:
    torch.manual_seed(seed)
    loader = DataLoader(OneByOne(digits), batch_size=PEER_BATCH, shuffle=True)
    network = Network(PEER_DROPOUT).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=PEER_RATE, momentum=PEER_MOMENTUM)
    for _ in range(epochs):
        for images, labels in loader:
            optimizer.zero_grad()
            # These come normalised, and our network normalises by itself.
            F.cross_entropy(network(images * PIXEL_STD + PIXEL_MEAN), labels).backward()
            optimizer.step()
    return network.eval()


class Round:
    """A ledger in which so many drawings fooled the round-0 weights."""

    def __init__(self, folder: Path, seed: int, fooling: int) -> None:
        self.home = Home(folder, f"benchmark of fine-tuning {seed}".encode())
        self.ledger = self.home.open_ledger(create=True)
        self.ledger.start(install_shipped(self.home.weights))
        first = self.ledger.served()
        served = ServedModel(load_weights(self.home.weights, first.weights_id), first.number)
        drawings = supply(pool_and_unseen()[0], random.Random(seed))
        while self.ledger.open_round().ready < fooling:
            digit = next(drawings)
            writer = self.ledger.annotator(f"pendigits-writer-{digit.writer}")
            self.ledger.record_attempt(served.answer(digit.strokes), digit.label, writer, str(uuid.uuid4()))

    def learnt_from(self) -> Digits:
        """The fooling drawings that closing the round will learn from."""
        round0 = build_network(load_weights(self.home.weights, self.ledger.served().weights_id))
        return as_digits(mix(self.ledger, round0, 1, RoundSettings().max_annotator_share).train)

    def close(self, clean: CleanDigits, recipe: FineTuningRecipe) -> Network:
        closed = close_round(self.ledger, self.home.weights, lambda: clean, RoundSettings(), recipe, lambda *_: None)
        self.ledger.close()
        return build_network(load_weights(self.home.weights, closed.weights_id))


def measure(short: bool) -> Section:
    """A round closed, and the network trained afresh, on the same fooling drawings."""
    torch.set_num_threads(THREADS)
    torchvision("transforms")  # importing it is not training
    clean = load_clean_digits(mnist_folder(), mnist_folder())
    learning = clean.train
    fooling, seeds, epochs, recipe = FOOLING, 3, EPOCHS, FineTuningRecipe()
    if short:
        fooling, seeds, epochs, recipe = 10, 1, 1, SHORT_RECIPE
        learning = Digits(learning.images[:2000], learning.labels[:2000])
    unseen = digits_of(pool_and_unseen()[1])
    ours: list[Learnt] = []
    peer: list[Learnt] = []
    for seed in range(1, seeds + 1):
        with tempfile.TemporaryDirectory() as folder:
            played = Round(Path(folder), seed, fooling)
            drawn = played.learnt_from()
            both = Digits(torch.cat([learning.images, drawn.images]), torch.cat([learning.labels, drawn.labels]))
            ways: list[tuple[list[Learnt], Callable[[], Network]]] = [
                (ours, lambda played=played: played.close(clean, recipe)),  # type: ignore[misc]
                (peer, lambda both=both, seed=seed: train_afresh(both, epochs, seed)),  # type: ignore[misc]
            ]
            for results, learn in ways[:: 1 if seed % 2 else -1]:
                began = time.perf_counter()
                network = learn()
                seconds = time.perf_counter() - began
                results.append(Learnt(seconds, _right(network, clean.test), _right(network, unseen)))
    return describe(ours, peer, fooling=fooling, unseen=len(unseen), short=short)


def _right(network: Network, digits: Digits) -> float:
    """Share of digits read correctly."""
    return float((predict_digits(network, digits.images) == digits.labels).double().mean())


def describe(ours: Sequence[Learnt], peer: Sequence[Learnt], *, fooling: int, unseen: int, short: bool) -> Section:
    faster = [their.seconds / our.seconds for our, their in zip(ours, peer, strict=True)]
    clean = [100 * (our.clean - their.clean) for our, their in zip(ours, peer, strict=True)]
    better = [100 * (our.unseen - their.unseen) for our, their in zip(ours, peer, strict=True)]

    def percent(values: list[float]) -> str:
        return f"{spread([100 * value for value in values], 2)} %"

    def asked(values: list[float], least: float) -> bool | None:
        return None if short else min(values) >= least

    return Section(
        "Closing a round, beside training afresh",
        [
            f"{len(ours)} seeds, each with {fooling} fooling drawings of 24 writers in natural framing; mean and 95 % interval (t). "
            f"{THREADS} threads for both, in turns; reading MNIST is in neither.",
            "Ours: from reading the ledger to the decision, scoring included; it learns from the drawings that did not fool as well.",
            f"Peer: the same network from scratch, {EPOCHS} epochs, batches of {PEER_BATCH} from a DataLoader over PIL images, SGD "
            f"({PEER_RATE}, momentum {PEER_MOMENTUM}), dropout {PEER_DROPOUT}; 55,000 clean digits and the fooling ones ours learnt from.",
            f"Clean accuracy on 10,000 MNIST test digits; unseen writers: {unseen} drawings of six writers. All seeds must reach what is asked.",
            *(["Short: a few steps, to see that it runs; the figures say nothing."] if short else []),
        ],
        [
            Row(
                "seconds",
                spread([learnt.seconds for learnt in ours], 1),
                spread([learnt.seconds for learnt in peer], 1),
                times(sum(faster) / len(faster)),
                f"at least {TIMES} x as fast",
                asked(faster, TIMES),
            ),
            Row(
                "clean accuracy",
                percent([learnt.clean for learnt in ours]),
                percent([learnt.clean for learnt in peer]),
                f"{spread(clean, 2)} points",
                "not lower",
                asked(clean, 0),
            ),
            Row(
                "unseen writers",
                percent([learnt.unseen for learnt in ours]),
                percent([learnt.unseen for learnt in peer]),
                f"{spread(better, 1)} points",
                "higher",
                asked(better, 0.01),
            ),
        ],
        {"ours": [asdict(learnt) for learnt in ours], "peer": [asdict(learnt) for learnt in peer]},
    )


if __name__ == "__main__":
    typer.run(command(measure))
