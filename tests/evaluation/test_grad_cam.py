from threading import Thread

import pytest
import torch
from captum.attr import LayerGradCam
from torch import nn
from torch.nn import functional as F

from evaluation.grad_cam import DIGITS, LastConvolution, coarse_maps, heat_map, heat_maps
from model.network import PIXEL_MEAN, PIXEL_STD, Network

SIGNED, RECTIFIED = LastConvolution("conv2"), LastConvolution("conv2", rectified=True)


class Tiny(nn.Module):
    """Two channels, x and 2 - x, rectified, summed with weights: whose Grad-CAM can be worked out by hand."""

    def __init__(self, size: int = 2) -> None:
        super().__init__()
        self.conv2 = nn.Conv2d(1, 2, 1)
        self.conv2.weight.data = torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1)
        self.conv2.bias.data = torch.tensor([0.0, 2.0])
        self.last = nn.Linear(2 * size * size, 2, bias=False)
        self.last.weight.data = torch.tensor([[1.0] * 4 + [2.0] * 4, [-1.0] * 4 + [-2.0] * 4])

    def forward(self, images):
        return self.last(F.relu(self.conv2(images)).flatten(1))


def middle(heat):
    """Centre of mass, row and column."""
    return tuple(float(heat.sum(1 - axis) @ torch.arange(28.0) / heat.sum()) for axis in (0, 1))


@pytest.fixture
def network():
    torch.manual_seed(3)
    return Network().eval()


@pytest.fixture
def images():
    return torch.rand(6, 1, 28, 28, generator=torch.Generator().manual_seed(4))


def test_it_is_the_map_worked_out_by_hand():
    image = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    # Channels x = [[1, 2], [3, 4]] and 2 - x = [[1, 0], [-1, -2]]; for class 0 the gradient is 1 all over the first,
    # and 2 where the second is positive, so the channel weights are 1 and (2 + 0 + 0 + 0) / 4 = 0.5.
    rectified = torch.tensor([[1 + 0.5, 2.0], [3.0, 4.0]]) / 4
    signed = torch.tensor([[1 + 0.5, 2.0], [3 - 0.5, 4 - 1.0]]) / 3
    assert torch.equal(heat_maps(Tiny(), image, 0, RECTIFIED)[0], rectified)
    assert torch.equal(heat_maps(Tiny(), image, 0, SIGNED)[0], signed)


def test_where_nothing_speaks_for_a_class_the_map_is_zero():
    image = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    assert torch.equal(heat_maps(Tiny(), image, 1, RECTIFIED), torch.zeros(1, 2, 2))


def test_without_a_gradient_the_map_is_zero_and_not_nan(network, images):
    nn.init.zeros_(network.fc2.weight)
    assert torch.equal(heat_maps(network, images, 3), torch.zeros(6, 28, 28))


def test_a_map_that_covers_the_image_is_laid_over_the_pixels_it_saw():
    network = nn.Sequential()
    network.conv2 = nn.Conv2d(1, 1, 7, stride=7, bias=False)
    network.flat, network.last = nn.Flatten(), nn.Linear(16, 10, bias=False)
    nn.init.ones_(network.conv2.weight)
    nn.init.ones_(network.last.weight)
    image = torch.zeros(1, 1, 28, 28)
    image[0, 0, 7:14, 14:21] = 1  # cell (1, 2) of 4 x 4, its middle at pixel (10, 17)
    assert middle(heat_maps(network, image, 0, RECTIFIED)[0]) == pytest.approx((10, 17), abs=1e-4)


def test_heat_of_a_cell_lies_in_the_middle_of_the_pixels_it_sees(network, images):
    """Cell (2, 5) of the digit network's 8 x 8 sees rows 4 to 17 and columns 10 to 23."""
    images.requires_grad_()
    x = F.relu(F.max_pool2d(network.conv1(images), 2))
    seen = torch.autograd.grad(network.conv2(x)[:, :, 2, 5].sum(), images)[0].abs().sum((0, 1)).nonzero()
    assert (seen.amin(0).tolist(), seen.amax(0).tolist()) == ([4, 10], [17, 23])

    class OneCell(nn.Module):
        """Cell (2, 5) is active and decides."""

        def __init__(self) -> None:
            super().__init__()
            self.conv2 = nn.Conv2d(1, 1, 1, bias=False)
            nn.init.ones_(self.conv2.weight)

        def forward(self, images):
            cells = torch.zeros(1, 1, 8, 8).index_put_((*torch.tensor([0, 0, 2, 5]).split(1),), images.amax())
            return self.conv2(cells).sum((2, 3)).expand(-1, 10)

    assert middle(heat_maps(OneCell(), images[:1], 0)[0]) == pytest.approx(((4 + 17) / 2, (10 + 23) / 2), abs=1e-4)


def test_it_is_captums_own_on_a_random_network(network, images):
    classes = torch.tensor([0, 3, 9, 1, 5, 5])
    theirs = LayerGradCam(network, network.conv2).attribute(images, classes, relu_attributions=True)  # (6, 1, 8, 8)
    theirs = F.interpolate(theirs, (28, 28), mode="bilinear", align_corners=False)[:, 0].detach()
    assert theirs.amax((1, 2)).min() > 0
    torch.testing.assert_close(heat_maps(network, images, classes, SIGNED), theirs / theirs.amax((1, 2), keepdim=True))


def test_rectified_maps_are_captums_own_of_the_relu_behind_the_convolution(network, images):
    """As the page and the failures use it: captum's own, on a twin whose ReLU stands before the pooling as a layer."""

    class Twin(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.of, self.relu = network, nn.ReLU()

        def forward(self, images):
            first = F.relu(F.max_pool2d(self.of.conv1((images - PIXEL_MEAN) / PIXEL_STD), 2))
            seen = F.relu(F.max_pool2d(self.relu(self.of.conv2(first)), 2))  # the second changes nothing
            return self.of.fc2(F.relu(self.of.fc1(seen.flatten(1))))

    classes, twin = torch.tensor([0, 3, 9, 1, 5, 5]), Twin()
    torch.testing.assert_close(twin(images), network(images))
    theirs = LayerGradCam(twin, twin.relu).attribute(images, classes, relu_attributions=True).detach()
    torch.testing.assert_close(coarse_maps(network, images, classes, DIGITS), theirs)
    fine = F.interpolate(theirs, (16, 16), mode="bilinear", align_corners=False)[:, 0]
    fine = F.pad(fine / fine.amax((1, 2), keepdim=True), [6] * 4)
    torch.testing.assert_close(heat_maps(network, images, classes), fine)


@pytest.mark.parametrize("layer", [DIGITS, SIGNED])
def test_it_is_what_autograd_alone_gives(network, images, layer):
    classes = torch.tensor([0, 3, 9, 1, 5, 5])
    x = F.relu(F.max_pool2d(network.conv1((images - PIXEL_MEAN) / PIXEL_STD), 2))
    seen = network.conv2(x)  # (6, 20, 8, 8)
    logits = network.fc2(F.relu(network.fc1(F.relu(F.max_pool2d(seen, 2)).flatten(1))))
    slope = torch.autograd.grad(logits[range(6), classes].sum(), seen)[0].mean((2, 3), keepdim=True)
    coarse = F.relu((slope * (seen.clamp(min=0) if layer.rectified else seen)).sum(1, keepdim=True))
    side = 28 - 2 * layer.margin
    fine = F.pad(F.interpolate(coarse, (side, side), mode="bilinear"), [layer.margin] * 4)[:, 0].detach()
    torch.testing.assert_close(heat_maps(network, images, classes, layer), fine / fine.amax((1, 2), keepdim=True))


def test_one_digit_is_the_batchs_first(network):
    image = torch.randint(0, 256, (28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    heat = heat_map(network, image, 7)
    assert heat.shape == (28, 28)
    assert (float(heat.min()), float(heat.max())) == (0.0, 1.0)
    torch.testing.assert_close(heat, heat_maps(network, image.reshape(1, 1, 28, 28) / 255, torch.tensor([7]))[0])


def test_no_image_gives_no_map(network):
    assert heat_maps(network, torch.zeros(0, 1, 28, 28), 3).shape == (0, 28, 28)


def test_an_image_of_another_kind_is_refused(network):
    with pytest.raises(ValueError, match=r"the image is torch.float32 of shape \(1, 28, 28\)"):
        heat_map(network, torch.zeros(1, 28, 28), 3)


def test_the_network_stays_as_it_was(network, images):
    network.train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with torch.inference_mode():
        heat_maps(network, images, 3)
    assert network.training
    assert all(parameter.grad is None for parameter in network.parameters())
    assert not network.conv2._forward_hooks
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_many_threads_get_the_maps_that_one_gets(network, images):
    alone = [heat_maps(network, images[i : i + 1], i) for i in range(6)]
    wrong = []

    def look(i: int) -> None:
        for _ in range(5):
            with torch.inference_mode():
                network(images)  # others are answered meanwhile
            if not torch.equal(heat_maps(network, images[i : i + 1], i), alone[i]):
                wrong.append(i)

    threads = [Thread(target=look, args=(i,)) for i in range(6)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert wrong == []
