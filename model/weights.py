"""Weights files: immutable, named by the hash of their bytes, with their card in the header."""

import hashlib
import json
import os
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from model.network import Network

ID_LENGTH = 16  # hex digits of the SHA-256 of the file
SHIPPED_FOLDER = Path(__file__).parent / "round0"


class WeightsDamaged(ValueError):
    """A weights file is missing, is not what its name says, or does not fit the network."""


class WeightsUnreadable(WeightsDamaged):
    """A weights file is there and could not be read just now: too many files are open, or it is not ours to read."""


@dataclass(frozen=True)
class Card:
    """Where weights come from: enough to make them again."""

    parent: str | None  # weights_id they were fine-tuned from; None for round 0
    round: int
    seed: int
    recipe: dict[str, Any]
    data: dict[str, Any]  # what they were trained on, and how much of it
    scores: dict[str, Any] = field(default_factory=dict)
    created_at: str = ""


@dataclass(frozen=True)
class Weights:
    id: str
    tensors: dict[str, Tensor]
    card: Card


def build_network(weights: Weights) -> Network:
    """A network with these weights, ready to predict."""
    network = Network()
    network.load_state_dict(weights.tensors)
    return network.eval()


def save_weights(network: nn.Module, card: Card, folder: Path) -> Weights:
    """Write a weights file under its id, complete or not at all, and give what was written."""
    tensors = {name: tensor.detach().clone().contiguous() for name, tensor in network.state_dict().items()}
    packed = safetensors.torch.save(tensors, metadata={"card": json.dumps(asdict(card), sort_keys=True)})
    weights_id = _hash(packed)
    write_whole(folder / f"{weights_id}.safetensors", packed)
    return Weights(weights_id, tensors, card)


def load_weights(folder: Path, weights_id: str, blank: Callable[[], nn.Module] = Network) -> Weights:
    """Read and check a weights file. blank: makes a network of the kind they are for.

    Raises WeightsDamaged if it is missing, its bytes do not hash to its name, or it does not fit the network.
    """
    path = folder / f"{weights_id}.safetensors"
    if not weights_id.isalnum():
        raise WeightsDamaged(f"{weights_id!r} is not a weights id; `python -m retrain status` lists them")
    return read_weights(path, weights_id, blank)


def read_weights(path: Path | str, weights_id: str | None = None, blank: Callable[[], nn.Module] = Network) -> Weights:
    """Read a weights file under whatever name; its id is what its bytes hash to, which must be `weights_id` if given.

    Raises WeightsDamaged if it is missing, is another one, holds no card, or does not fit the network; WeightsUnreadable
    if that cannot be told.
    """
    path = Path(path)
    try:
        packed = path.read_bytes()
    except FileNotFoundError as error:
        raise WeightsDamaged(f"weights {path.stem} are not in {path.parent} ({error.strerror})") from error
    except OSError as error:
        raise WeightsUnreadable(f"weights {path.stem} in {path.parent} cannot be read ({error.strerror})") from error
    if weights_id not in (None, _hash(packed)):
        raise WeightsDamaged(f"{path} is damaged: its bytes hash to {_hash(packed)}; delete it or restore it")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            card = Card(**json.loads(file.metadata()["card"]))
        tensors = safetensors.torch.load(packed)
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
        raise WeightsDamaged(f"{path} is not a weights file with a card ({error}); delete it or restore it") from error
    expected = {name: tensor.shape for name, tensor in blank().state_dict().items()}
    if {name: tensor.shape for name, tensor in tensors.items()} != expected:
        raise WeightsDamaged(f"{path} does not fit the network; it holds {sorted(tensors)}")
    if not all(torch.isfinite(tensor).all() for tensor in tensors.values()):
        raise WeightsDamaged(f"{path} holds numbers that are not finite; it cannot be served")
    return Weights(_hash(packed), tensors, card)


def shipped_weights_id() -> str:
    """The id of the round-0 weights in the repository."""
    (path,) = SHIPPED_FOLDER.glob("*.safetensors")
    return path.stem


def install_shipped(folder: Path) -> str:
    """Copy the shipped round-0 weights into a data folder, if they are not there or damaged; gives their id."""
    weights_id = shipped_weights_id()
    target = folder / f"{weights_id}.safetensors"
    try:
        load_weights(folder, weights_id)
    except WeightsDamaged:
        load_weights(SHIPPED_FOLDER, weights_id)
        write_whole(target, (SHIPPED_FOLDER / target.name).read_bytes())
    return weights_id


def write_whole(path: Path, content: bytes) -> None:
    """Put a file in place complete and on disk, or not at all: written beside, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _hash(packed: bytes) -> str:
    return hashlib.sha256(packed).hexdigest()[:ID_LENGTH]
