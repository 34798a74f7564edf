import pytest
import torch

from evaluation.metrics import accuracy, share
from model.clean_digits import Digits
from model.network import Network


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [
        (5, 10, 0.236593, 0.763407),  # by hand: z = 1.959964, (p + z^2/2n) / (1 + z^2/n) +- ...
        (0, 10, 0.0, 0.277533),
        (10, 10, 0.722467, 1.0),
        (1, 1000, 0.000177, 0.005642),
    ],
)
def test_the_interval_is_wilsons(hits, n, low, high):
    figures = share(hits, n)
    assert figures.value == hits / n
    assert (figures.low, figures.high) == pytest.approx((low, high), abs=1e-6)


def test_a_share_of_nothing_is_unknown():
    assert share(0, 0).value is None


@pytest.mark.parametrize(("hits", "n"), [(3, 2), (-1, 2)])
def test_more_hits_than_digits_are_refused(hits, n):
    with pytest.raises(ValueError, match="hits lie between 0 and n"):
        share(hits, n)


def test_accuracy_counts_right_digits():
    network = Network().eval()
    torch.nn.init.zeros_(network.fc2.weight)
    torch.nn.init.zeros_(network.fc2.bias)
    network.fc2.bias.data[4] = 1.0  # sees a 4 in everything
    digits = Digits(torch.zeros(5, 28, 28, dtype=torch.uint8), torch.tensor([4, 4, 1, 4, 9]))
    assert (accuracy(network, digits).hits, accuracy(network, digits).n) == (3, 5)


def test_accuracy_on_no_digits_is_unknown():
    none = Digits(torch.zeros(0, 28, 28, dtype=torch.uint8), torch.zeros(0, dtype=torch.int64))
    assert accuracy(Network(), none).value is None
