"""Images enlarged, with what a network looked at laid over them."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from evaluation.extras import need

SIDE = 280  # px, as wide as the canvas digits are drawn on
MOST_COVERED = 0.75  # of the image by full heat: what lies below stays visible

Picture = NDArray[np.uint8]  # (SIDE, SIDE, 3)


def enlarged(image: Tensor) -> Picture:
    """image: (C, H, W) uint8. A digit comes out as ink on paper, a photograph in its colours; pixels stay squares."""
    grey = len(image) == 1
    pixels = (255 - image).expand(3, -1, -1) if grey else image
    small = Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy())
    return np.asarray(small.resize((SIDE, SIDE), Image.Resampling.NEAREST))


def overlay(image: Tensor, heat: Tensor) -> Picture:
    """image: (C, H, W) uint8; heat: (H, W) in [0, 1]. Where there is no heat the image is left as it is."""
    wide = F.interpolate(heat[None, None], (SIDE, SIDE), mode="bilinear", align_corners=False)[0, 0].numpy()
    colours = need("matplotlib").colormaps["turbo"](wide)[..., :3] * 255  # (SIDE, SIDE, 3)
    share = (MOST_COVERED * wide**0.5)[..., None]
    return np.asarray((1 - share) * enlarged(image) + share * colours).round().astype(np.uint8)


def png(picture: Picture) -> bytes:
    from io import BytesIO

    packed = BytesIO()
    Image.fromarray(picture).save(packed, "PNG")
    return packed.getvalue()
