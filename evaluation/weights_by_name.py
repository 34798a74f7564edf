"""The weights a command is asked about."""

from pathlib import Path

from flagging.home import Home
from model.weights import SHIPPED_FOLDER, Weights, load_weights, read_weights, shipped_weights_id


def find_weights(home: Home, name: str | None) -> Weights:
    """name: an id, of weights in the data folder or of the shipped ones; a .safetensors file; None for the weights served in the
    data folder, or the shipped ones where nothing was ever served.

    Raises WeightsDamaged with a sentence.
    """
    if name and name.endswith(".safetensors"):
        return read_weights(Path(name))
    name = name or served_weights_id(home)
    return load_weights(SHIPPED_FOLDER if name == shipped_weights_id() else home.weights, name)


def served_weights_id(home: Home) -> str:
    if not home.ledger_path.exists():
        return shipped_weights_id()
    ledger = home.open_ledger()
    try:
        promotions = ledger.promotions()
        return promotions[-1].weights_id if promotions else shipped_weights_id()
    finally:
        ledger.close()
