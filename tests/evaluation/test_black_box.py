"""What the attacks do and charge, on models whose answer is known; refusals by their message."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.black_box import EpsilonGreedy, EvoBA, SimBA, attack_images, pixel_groups
from evaluation.queries import BATCH, Draws, Pixels, below, fraction, values
from model.network import Network

ATTACKS = [EvoBA(generation=7, steps=9), EpsilonGreedy(steps=40, patch=2), SimBA(epsilon=0.5, steps=12)]
UNIT, BYTE = Pixels(0, 1, whole=False), Pixels(0, 255, whole=True)


class Counting:
    """Two classes, by the mean pixel; counts what it is asked, and keeps the largest and smallest pixel."""

    def __init__(self, border=0.5):
        self.border, self.asked, self.low, self.high = border, 0, 1.0, 0.0

    def __call__(self, images):
        self.asked += len(images)
        self.low, self.high = min(self.low, images.min().item()), max(self.high, images.max().item())
        mean = images.flatten(1).mean(1)
        return torch.stack([self.border - mean, mean - self.border], dim=1) * 20


def dark(count, channels=1, size=4, top=0.9, seed=0):
    return torch.rand(count, channels, size, size, generator=torch.Generator().manual_seed(seed)) * top


def test_evoba_charges_the_first_look_and_whole_generations():
    model, images = Counting(), dark(12)
    attacked = attack_images(model, images, torch.zeros(12, dtype=torch.int64), EvoBA(), seed=1)
    assert attacked.fooled.any()
    assert set(((attacked.queries[attacked.correct] - 1) % 30).tolist()) == {0}
    assert attacked.queries[attacked.correct].min() >= 31  # an image read correctly needs a generation


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_query_charged_is_one_evaluation_and_none_comes_after_success(attack):
    model, images = Counting(), dark(9)
    labels = torch.zeros(9, dtype=torch.int64)
    attacked = attack_images(model, images, labels, attack, seed=2)
    misread = int((~attacked.correct).sum())
    assert model.asked == attacked.queries.sum() + misread  # a misread image is looked at, and not charged


@pytest.mark.parametrize("attack", ATTACKS)
def test_only_images_read_correctly_are_attacked(attack):
    images = torch.cat([dark(3, top=0.4), dark(3) * 0 + 0.9])
    attacked = attack_images(Counting(), images, torch.zeros(6, dtype=torch.int64), attack)
    assert attacked.correct.tolist() == [True] * 3 + [False] * 3
    assert attacked.queries[3:].tolist() == [0, 0, 0]
    assert torch.equal(attacked.best[3:], images[3:])


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_same_seed_gives_the_same_and_another_one_something_else(attack):
    images, labels = dark(8), torch.zeros(8, dtype=torch.int64)
    first, again, other = (attack_images(Counting(), images, labels, attack, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(first.best, again.best)
    assert torch.equal(first.queries, again.queries)
    assert not torch.equal(first.best, other.best)


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_images_attack_does_not_depend_on_what_is_beside_it(attack):
    images, labels = dark(2 * BATCH, size=2), torch.zeros(2 * BATCH, dtype=torch.int64)
    many = attack_images(Counting(), images, labels, attack, seed=5)
    few = attack_images(Counting(), images[:5], labels[:5], attack, seed=5)
    assert torch.equal(many.best[:5], few.best)
    assert torch.equal(many.queries[:5], few.queries)


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("budget", [1, 2, 7, 8, 9, 30, 10_000])
def test_a_budget_is_never_exceeded_and_changes_nothing_before_it_ends(attack, budget):
    images, labels = dark(10), torch.zeros(10, dtype=torch.int64)
    free = attack_images(Counting(), images, labels, attack, seed=6)
    bound = attack_images(Counting(), images, labels, attack, seed=6, budget=budget)
    assert bound.queries.max() <= budget
    assert torch.equal(bound.fooled, free.fooled & (free.queries <= budget))
    assert torch.equal(bound.best[bound.fooled], free.best[bound.fooled])


def test_evobas_next_parent_is_the_fittest_of_the_generation_even_if_worse():
    """Changing any pixel of a black picture makes this model surer: every generation is worse than its parent."""

    def surer_when_brighter(images):
        mean = images.flatten(1).mean(1)
        return torch.stack([1 + mean, torch.zeros_like(mean)], dim=1)

    attacked = attack_images(surer_when_brighter, torch.zeros(1, 1, 8, 8), [0], EvoBA(generation=3, steps=5), seed=0)
    assert (attacked.best != 0).sum() > 1
    greedy = attack_images(surer_when_brighter, torch.zeros(1, 1, 8, 8), [0], EpsilonGreedy(steps=15), seed=0)
    assert torch.equal(greedy.best, greedy.images)  # the others keep what they have


def test_evobas_offspring_differ_from_the_parent_in_one_pixel_with_all_its_channels():
    attacked = attack_images(lambda x: torch.ones(len(x), 2), dark(5, channels=3), [0] * 5, EvoBA(steps=1), seed=1)
    changed = (attacked.best != attacked.images).sum(1)  # (5, H, W): how many channels
    assert changed.flatten(1).max(1).values.tolist() == [3] * 5
    assert (changed > 0).flatten(1).sum(1).tolist() == [1] * 5


def test_evoba_takes_the_first_of_equals():
    """As robustcheck's argmax does; which pixel and value the first offspring gets is fixed by the seed."""
    flat = lambda x: torch.ones(len(x), 2)  # noqa: E731
    one, many = (
        attack_images(flat, dark(3), [0] * 3, EvoBA(generation=size, steps=1), seed=1).best for size in (1, 30)
    )
    assert torch.equal(one, many)


def test_simba_goes_up_or_else_down_by_epsilon_and_tries_no_entry_twice():
    tried = []

    def surer_when_changed(images):  # nothing helps: every step costs two queries
        tried.append(images.clone())
        return torch.tensor([[1.0, 0.0]]).repeat(len(images), 1)

    attacked = attack_images(surer_when_changed, torch.full((1, 1, 3, 3), 0.5), [0], SimBA(epsilon=0.1, steps=100))
    assert attacked.queries.tolist() == [1 + 2 * 9]
    changes = torch.cat(tried)[-18:].flatten(1) - 0.5
    where, amount = changes.abs().argmax(1), changes.sum(1)
    assert sorted(where[::2].tolist()) == list(range(9))
    assert torch.equal(where[::2], where[1::2])
    assert amount.tolist() == pytest.approx([0.1, -0.1] * 9, abs=1e-6)


@pytest.mark.parametrize(("sign", "moved"), [(1, [[255, 29], [126, 154]]), (-1, [[224, 0], [74, 102]])])
def test_simba_on_integers_moves_by_whole_numbers_and_does_not_wrap_around(sign, moved):
    """A tenth of 255, rounded, is 26; this model is the less sure the brighter, or the darker, the picture is."""

    def model(images):
        return torch.stack([5 - sign * images.flatten(1).sum(1), images.sum((1, 2, 3)) * 0], 1)

    attacked = attack_images(model, torch.tensor([[[250, 3], [100, 128]]], dtype=torch.uint8), [0], SimBA(steps=4))
    assert attacked.best.tolist() == [moved]
    assert attacked.best.dtype == torch.uint8


def test_pixel_groups_are_squares_cut_off_at_the_edge():
    groups, sizes = pixel_groups(3, 5, 2)
    assert [sorted(group[:size].tolist()) for group, size in zip(groups, sizes, strict=True)] == [
        [0, 1, 5, 6],
        [2, 3, 7, 8],
        [4, 9],
        [10, 11],
        [12, 13],
        [14],
    ]


def test_epsilon_greedy_stays_with_the_group_that_paid():
    """Only the upper left square matters to this model."""

    def corner(images):
        mean = images[:, 0, :4, :4].flatten(1).mean(1)
        return torch.stack([0.2 - mean, mean - 0.2], dim=1) * 10

    attacked = attack_images(corner, torch.zeros(20, 1, 28, 28), [0] * 20, EpsilonGreedy(), seed=1)
    assert attacked.fooled.all()
    outside = attacked.best.clone()
    outside[:, :, :4, :4] = 0
    assert not outside.any()  # what does not lower the label's probability is not kept
    assert (
        attacked.queries.double().mean() < 200
    )  # some 7 pixels of it are needed: 49 groups tried evenly would take 343


@settings(max_examples=25, deadline=None)
@given(
    count=st.integers(1, 5),
    channels=st.integers(1, 3),
    height=st.integers(1, 6),
    width=st.integers(1, 6),
    whole=st.booleans(),
    seed=st.integers(0, 2**63),
    which=st.integers(0, 2),
    border=st.floats(0.05, 0.95),
)
def test_whatever_is_attacked_the_results_hold_together(count, channels, height, width, whole, seed, which, border):
    images = torch.rand(count, channels, height, width, generator=torch.Generator().manual_seed(seed % 1000))
    images = (images * 255).to(torch.uint8) if whole else images
    model = Counting(border)
    attacked = attack_images(model, images, [0] * count, ATTACKS[which], seed=seed)
    assert attacked.best.dtype == images.dtype
    assert attacked.best.shape == images.shape
    assert 0 <= model.low <= model.high <= 1
    scale = 255 if whole else 1
    assert torch.equal(model(attacked.best / scale).argmax(1), attacked.after)  # what is kept is what was scored
    assert torch.equal(attacked.best[~attacked.correct], images[~attacked.correct])


@given(st.integers(0, 2**64), st.integers(1, 784))
def test_draws_fill_their_range_evenly(seed, end):
    bits = Draws(seed, np.arange(40)).bits(np.arange(40), 3, 50)
    assert len(np.unique(bits)) == 2000
    found = below(bits, end)
    assert found.min() >= 0
    assert found.max() < end
    assert abs(fraction(bits).mean() - 0.5) < 0.05
    assert set(values(bits, BYTE).ravel().tolist()) <= set(range(256))
    assert values(bits, UNIT).max() <= 1


def test_both_ends_of_whole_pixels_are_drawn():
    drawn = values(Draws(1, np.arange(100)).bits(np.arange(100), 0, 200), BYTE)
    assert (drawn.min(), drawn.max()) == (0, 255)
    counts = np.bincount(drawn.astype(int).ravel(), minlength=256)
    assert ((counts - 20_000 / 256) ** 2 / (20_000 / 256)).sum() < 330  # chi-squared, 255 degrees, 99.9 %


def test_integers_reach_the_model_as_shares_and_as_they_are_when_raw():
    seen = []

    def model(images):
        seen.append(images.max().item())
        return torch.ones(len(images), 2)

    images = torch.full((1, 4, 4), 255, dtype=torch.uint8)
    attack_images(model, images, [0], SimBA(steps=1))
    attack_images(model, images, [0], SimBA(steps=1), raw=True)
    assert seen[0] == 1
    assert seen[-1] == 255


def test_the_faster_layout_answers_the_same_and_the_model_is_left_alone():
    torch.manual_seed(0)
    network, images = Network().eval(), dark(40, size=28)
    labels = network(images).argmax(1)
    weight, stride = network.conv2.weight, network.conv2.weight.stride()
    whole = attack_images(network, images, labels, EvoBA(steps=3), seed=1)
    plain = attack_images(lambda batch: network(batch), images, labels, EvoBA(steps=3), seed=1)
    assert network.conv2.weight is weight
    assert weight.stride() == stride
    assert (whole.best == plain.best).double().mean() > 0.99  # sums may differ in their last digits


class Convolution(torch.nn.Module):
    def __init__(self, flatten):
        super().__init__()
        self.conv, self.flatten, self.asked = torch.nn.Conv2d(1, 4, 3), flatten, 0

    def forward(self, images):
        self.asked += len(images)
        return self.flatten(self.conv(images))[:, :3]


@pytest.mark.parametrize("flatten", [lambda x: x.flatten(1), lambda x: x.view(len(x), -1)], ids=["any layout", "plain"])
def test_a_module_is_asked_as_often_as_is_charged(flatten):
    module = Convolution(flatten).eval()
    images = dark(6, size=6)
    labels = module(images).argmax(1)
    module.asked = 0
    attacked = attack_images(module, images, labels, EvoBA(steps=2))
    assert module.asked == attacked.queries.sum()


def test_a_hook_sees_as_many_images_as_are_charged():
    module, seen = Convolution(lambda x: x.view(len(x), -1)).eval(), []
    module.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    images = dark(6, size=6)
    attacked = attack_images(module, images, module(images).argmax(1), EvoBA(steps=2))
    assert sum(seen[1:]) == attacked.queries.sum()


def test_errors_of_the_model_itself_are_not_hidden():
    def broken(_):
        raise RuntimeError("the model is broken")

    with pytest.raises(RuntimeError, match="the model is broken"):
        attack_images(Convolution(broken).eval(), dark(2, size=6), [0, 0], EvoBA(steps=1))


@pytest.mark.parametrize(
    "images",
    [
        np.frombuffer(bytes(6 * 16), np.uint8).reshape(6, 4, 4),
        np.zeros((6, 4, 4), np.float32)[::-1],
        [torch.zeros(4, 4)] * 6,
        [np.zeros((4, 4), np.uint8)] * 6,
        np.zeros((6, 4, 4), np.uint16),
    ],
    ids=["read-only", "backwards", "list of tensors", "list of arrays", "uint16"],
)
def test_images_come_in_many_shapes(images):
    attacked = attack_images(Counting(), images, [0] * 6, EvoBA(steps=2), seed=1)
    assert len(attacked) == 6
    assert attacked.queries.min() >= 1


@pytest.mark.parametrize("budget", [None, 1])
def test_progress_ends_with_all_images_attacked(budget):
    told = []
    report = lambda done, of: told.append((done, of))  # noqa: E731
    attacked = attack_images(Counting(), dark(6), [0] * 6, EvoBA(), budget=budget, report=report)
    assert told == sorted(told)
    assert told[-1] == (attacked.correct.sum(), attacked.correct.sum())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((torch.full((1, 4, 4), 3.0), [0]), "pixels go from 3 to 3, outside 0 to 1; scale the images"),
        ((torch.full((1, 4, 4), float("nan")), [0]), "outside 0 to 1"),
        ((torch.full((1, 4, 4), -1), [0]), "outside 0 to 255"),
        ((torch.zeros(2, 4, 4), [0]), "one whole number for each of 2 images"),
        ((torch.zeros(1, 4, 4), [0.0]), "one whole number"),
        ((torch.zeros(1, 4, 4), [2]), "labels go from 2 to 2; the model knows 0 to 1"),
        ((torch.zeros(4, 4), [0] * 4), r"images are \(4, 4\)"),
        ((torch.zeros(28, 28), [0]), r"images are \(28, 28\)"),
        ((torch.zeros(1, 4, 4), 0), r"labels are torch.int64 \(\)"),
        ((torch.zeros(1, 28, 28, 1), [0]), "channels last; give images.permute"),
        ((torch.zeros(1, 4, 4, dtype=torch.bool), [0]), "images are torch.bool"),
    ],
)
def test_images_and_labels_that_make_no_sense_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        attack_images(Counting(), *arguments, EvoBA(steps=1))


def test_models_that_cannot_be_attacked_are_refused():
    with pytest.raises(ValueError, match=r"call model.eval\(\)"):
        attack_images(Network(), torch.zeros(1, 28, 28), [0], EvoBA())
    with pytest.raises(ValueError, match="it must give logits"):
        attack_images(lambda x: x.sum(), torch.zeros(1, 28, 28), [0], EvoBA())
    with pytest.raises(ValueError, match="not finite"):
        attack_images(lambda x: torch.full((len(x), 2), float("nan")), torch.zeros(1, 28, 28), [0], EvoBA())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: EvoBA(generation=0), "generation is 0; it must be 1 or more"),
        (lambda: EpsilonGreedy(epsilon=1.5), "epsilon is 1.5; it is the share of random groups"),
        (lambda: SimBA(epsilon=0), "epsilon is 0; it is the share of the pixel range"),
        (lambda: Pixels(1, 0, whole=False), "pixels go from 1 to 0"),
        (lambda: attack_images(Counting(), dark(1), [0], EvoBA(), budget=0), "the query budget is 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
