import numpy as np
import pytest
import torch

from evaluation.calibration import calibrate


def of(confidence: list[float], classes: int = 2) -> torch.Tensor:
    """Class 0 is predicted, so surely."""
    sure = torch.tensor(confidence, dtype=torch.float64)
    return torch.stack([sure, *[(1 - sure) / (classes - 1)] * (classes - 1)], 1)


def test_it_is_what_counting_by_hand_gives():
    # Of five bins: (0.4, 0.6] holds 0.55 right, 0.6 wrong; (0.6, 0.8] holds 0.7 right; (0.8, 1] holds 0.9 right, 1.0 wrong.
    figures = calibrate(of([0.55, 0.6, 0.7, 0.9, 1.0]), torch.tensor([0, 1, 0, 0, 1]), bins=5)
    assert [b.n for b in figures.bins] == [0, 0, 2, 1, 2]
    assert [b.accuracy for b in figures.bins] == [None, None, 0.5, 1.0, 0.5]
    assert figures.bins[2].confidence == pytest.approx(0.575)
    # |0.5 - 0.575| * 2/5 + |1 - 0.7| * 1/5 + |0.5 - 0.95| * 2/5
    assert figures.ece == pytest.approx(0.03 + 0.06 + 0.18)
    assert (figures.n, figures.accuracy, figures.confidence) == (5, 0.6, pytest.approx(0.75))


def test_it_is_what_numpy_gives_bin_by_bin():
    rng = np.random.default_rng(0)
    probabilities, labels = rng.dirichlet(np.full(10, 0.3), 2000), rng.integers(0, 10, 2000)
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    ece = 0.0
    for low in np.arange(15) / 15:
        inside = (confidence > low) & (confidence <= low + 1 / 15)
        if inside.any():
            ece += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    figures = calibrate(torch.from_numpy(probabilities), torch.from_numpy(labels))
    assert figures.ece == pytest.approx(ece)
    assert sum(b.n for b in figures.bins) == 2000


def test_always_sure_and_always_right_is_no_error():
    assert calibrate(of([1.0, 1.0]), torch.tensor([0, 0])).ece == 0.0


def test_always_sure_and_always_wrong_is_the_largest():
    assert calibrate(of([1.0, 1.0]), torch.tensor([1, 1])).ece == 1.0


def test_of_no_images_it_is_unknown():
    figures = calibrate(torch.zeros(0, 10), torch.zeros(0, dtype=torch.int64))
    assert (figures.ece, figures.confidence, figures.n, len(figures.bins)) == (None, None, 0, 15)


def test_no_bin_is_refused():
    with pytest.raises(ValueError, match="bins is 0"):
        calibrate(of([1.0]), torch.tensor([0]), bins=0)
