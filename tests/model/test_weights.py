import pytest
import safetensors.torch
import torch

from model.network import Network
from model.weights import (
    SHIPPED_FOLDER,
    Card,
    WeightsDamaged,
    WeightsUnreadable,
    build_network,
    install_shipped,
    load_weights,
    save_weights,
    shipped_weights_id,
)
from tests.conftest import random_weights

CARD = Card(parent="abc", round=3, seed=7, recipe={"steps": 2}, data={"clean": "MNIST"}, scores={"n": 10})


def test_weights_come_back_as_they_were_saved(tmp_path):
    network = Network()
    saved = save_weights(network, CARD, tmp_path)
    loaded = load_weights(tmp_path, saved.id)
    assert loaded.card == CARD
    images = torch.rand(3, 1, 28, 28)
    assert torch.equal(build_network(loaded)(images), network(images))


def test_the_id_is_the_hash_of_the_file(tmp_path):
    import hashlib

    saved = save_weights(Network(), CARD, tmp_path)
    (file,) = tmp_path.iterdir()
    assert file.name == f"{saved.id}.safetensors"
    assert hashlib.sha256(file.read_bytes()).hexdigest().startswith(saved.id)


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b[:900] + b"\x07" + b[901:], lambda b: b""])
def test_a_damaged_file_is_refused(tmp_path, damage):
    weights_id = random_weights(tmp_path, 1).id
    path = tmp_path / f"{weights_id}.safetensors"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(WeightsDamaged, match="is damaged: its bytes hash to"):
        load_weights(tmp_path, weights_id)


def test_missing_weights_are_refused_by_id(tmp_path):
    with pytest.raises(WeightsDamaged, match="weights 0123 are not in"):
        load_weights(tmp_path, "0123")


def test_an_id_that_is_a_path_is_refused(tmp_path):
    with pytest.raises(WeightsDamaged, match="is not a weights id"):
        load_weights(tmp_path, "../secret")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (lambda: safetensors.torch.save({"a": torch.zeros(1)}), "is not a weights file with a card"),
        (lambda: b"not safetensors at all", "is not a weights file with a card"),
    ],
)
def test_a_file_that_is_no_weights_file_is_refused(tmp_path, content, says):
    import hashlib

    packed = content()
    weights_id = hashlib.sha256(packed).hexdigest()[:16]
    (tmp_path / f"{weights_id}.safetensors").write_bytes(packed)
    with pytest.raises(WeightsDamaged, match=says):
        load_weights(tmp_path, weights_id)


def test_numbers_that_are_not_finite_are_refused(tmp_path):
    network = Network()
    torch.nn.init.constant_(network.fc2.bias, float("nan"))
    with pytest.raises(WeightsDamaged, match="not finite"):
        load_weights(tmp_path, save_weights(network, CARD, tmp_path).id)


def test_nothing_half_written_is_left(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save_weights(Network(), CARD, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_shipped_weights_are_whole_and_have_a_card(tmp_path):
    weights = load_weights(SHIPPED_FOLDER, shipped_weights_id())
    assert weights.card.round == 0
    assert weights.card.recipe["epochs"] >= 1
    assert install_shipped(tmp_path) == install_shipped(tmp_path) == weights.id
    assert load_weights(tmp_path, weights.id).card == weights.card


@pytest.mark.parametrize("damage", [lambda packed: packed[:-1], lambda packed: packed[:-1] + b"?", lambda _: b""])
def test_a_damaged_copy_of_the_shipped_weights_is_mended(tmp_path, damage):
    copy = tmp_path / f"{install_shipped(tmp_path)}.safetensors"
    packed = copy.read_bytes()
    copy.write_bytes(damage(packed))
    install_shipped(tmp_path)
    assert copy.read_bytes() == packed


def test_a_file_that_cannot_be_read_just_now_is_told_apart_from_a_damaged_one(tmp_path):
    (tmp_path / "0123.safetensors").mkdir()
    with pytest.raises(WeightsUnreadable, match=r"weights 0123 in .* cannot be read \(Is a directory\)"):
        load_weights(tmp_path, "0123")


def test_the_shipped_weights_reach_the_accuracy_their_card_states(mnist):
    from model.training import predict_digits

    weights = load_weights(SHIPPED_FOLDER, shipped_weights_id())
    right = predict_digits(build_network(weights), mnist.test.images) == mnist.test.labels
    assert right.float().mean().item() == pytest.approx(weights.card.scores["clean_accuracy_after"], abs=1e-3)
    assert right.float().mean() >= 0.994
