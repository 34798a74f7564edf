import pytest
import torch
from torch.nn import functional as F

from model.network import PARAMETER_COUNT, PIXEL_MEAN, PIXEL_STD, Network, as_pixels


def test_it_has_as_many_parameters_as_the_tutorial_network():
    assert sum(p.numel() for p in Network().parameters()) == PARAMETER_COUNT == 21_840


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_it_is_the_tutorial_network_layer_for_layer(dropout):
    network = Network(dropout).train()
    images = torch.rand(4, 1, 28, 28)
    torch.manual_seed(3)
    x = (images - PIXEL_MEAN) / PIXEL_STD
    x = F.relu(F.max_pool2d(network.conv1(x), 2))
    x = F.relu(F.max_pool2d(F.dropout2d(network.conv2(x), dropout), 2)).view(-1, 320)
    expected = network.fc2(F.dropout(F.relu(network.fc1(x)), dropout))
    torch.manual_seed(3)
    assert torch.allclose(network(images), expected)


def test_dropout_is_off_when_predicting():
    network = Network(dropout=0.5).eval()
    images = torch.rand(2, 1, 28, 28)
    assert torch.equal(network(images), network(images))


def test_a_dropout_of_one_is_refused():
    with pytest.raises(ValueError, match=r"dropout is 1\.0"):
        Network(dropout=1.0)


def test_pixels_run_from_zero_to_one():
    pixels = as_pixels(torch.tensor([[[0, 255]]], dtype=torch.uint8))
    assert pixels.shape == (1, 1, 1, 2)
    assert pixels.flatten().tolist() == [0.0, 1.0]
