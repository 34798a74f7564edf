"""torchvision, imported where it is needed and in one place: it takes over a second, and needs a hand beside a slim torch."""

from functools import cache
from importlib import import_module
from typing import Any

import torch


@cache
def torchvision(module: str) -> Any:
    """A module of torchvision, such as "datasets" or "transforms.v2".

    A CPU-only torch beside the default torchvision wheel lacks the schemas of two operators that
    torchvision looks up while importing; declaring them is enough for its data sets and transforms to work.
    """
    try:
        return import_module(f"torchvision.{module}")
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        library = torch.library.Library("torchvision", "DEF")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        return import_module(f"torchvision.{module}")
