"""Class-activation maps: which part of a face supports an expression.

Grad-CAM (Selvaraju et al. 2017, "Grad-CAM: visual explanations from deep networks via
gradient-based localization", equations 1 and 2), as captum computes it: the channels of a stage's
output, weighted by the mean gradient of the expression's logit, summed, and negative values made 0.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torchvision.models.densenet import _Transition

from fer_tune.data.pixels import Pixels
from fer_tune.errors import UserError, reporting
from fer_tune.models.registry import STAGES
from fer_tune.serving.extras import needs
from fer_tune.serving.predictor import Predictor
from fer_tune.storage import AnyPath, write_atomically

#: Side below which a map of the last stage shows nothing, and the side that is then looked for.
SMALLEST, WANTED = 2, 4
#: Longer side of an overlay, at least, in pixels.
_SHOWN = 224
#: Share of the colour over the face where the heat is greatest.
_OPACITY = 0.6
_COLOURS = "viridis"  # equal steps of heat look equally large, also in grey and to the colour-blind
#: Bytes of a name; file systems allow 255, with number and suffix.
_NAME_BYTES = 200


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Which part of a face supports an expression.

    Attributes:
        expression: the class that is explained.
        heat: float32 (crop, crop), 0 to 1; 1 supports the expression most. All 0 where nothing
            supports it.
        stage: of the network whose output was used, ``stem`` or ``stage1`` to ``stage4``.
        overlay: the network's view of the face with the heat laid over it, uint8 (h, w, 3).
    """

    expression: str
    heat: NDArray[np.float32]
    stage: str
    overlay: NDArray[np.uint8]


def explain(predictor: Predictor, pixels: Pixels, expression: str | None = None) -> Explanation:
    """Explains the prediction for one face.

    Computed in float32, whatever the precision of the model.

    Args:
        pixels: a decoded face, uint8 (h, w, 1) or (h, w, 3).
        expression: one of the model's classes; by default the predicted one.

    Raises:
        UserError: the model has no such class.
        EnvironmentFault: captum is not installed.
    """
    classes = predictor.classes
    if expression is not None and expression not in classes:
        raise UserError(
            "the model has no such expression",
            value=expression,
            remedy=f"Choose one of {', '.join(classes)}",
        )
    view = predictor.inputs([pixels])
    if expression is None:
        expression = classes[int(predictor.logits_of(view).argmax())]
    found = activation_map(predictor.network, view, classes.index(expression))
    return Explanation(
        expression=expression,
        heat=found[0],
        stage=found[1],
        overlay=_overlay(view[0].permute(1, 2, 0).cpu().numpy(), found[0]),
    )


def activation_map(
    network: nn.Sequential, view: Tensor, target: int
) -> tuple[NDArray[np.float32], str]:
    """Heat (crop, crop) in 0 to 1 of one picture, and the stage that it comes from.

    Args:
        network: normalisation, the five stages, pooling and head.
        view: uint8 (1, c, crop, crop).
        target: position of the class.
    """
    attribution = needs("explain", "captum.attr")
    place, layer = _layer(network, view)
    with torch.enable_grad():
        # Parameters have no gradients here, so the picture needs one for the stage to get its own.
        given = view.float().requires_grad_()
        found = attribution.LayerGradCam(network, layer).attribute(
            given, target, relu_attributions=True
        )
    size = tuple(view.shape[2:])
    large = attribution.LayerAttribution.interpolate(found.detach(), size, "bilinear")
    heat: NDArray[np.float32] = large[0, 0].cpu().numpy()
    greatest = float(heat.max())
    return heat / greatest if greatest > 0 else np.zeros_like(heat), STAGES[place]


def write_explanation(folder: AnyPath, name: str, explanation: Explanation) -> AnyPath:
    """Writes the overlay as ``NAME.png`` into ``folder``, and returns its path.

    Args:
        folder: made if it is missing.
        name: of the picture, which anybody may have chosen: only its last part is used, without
            suffix and with unusual characters replaced. A name that is taken gets a number.

    Raises:
        UserError: it cannot be written.
    """
    out = io.BytesIO()
    Image.fromarray(explanation.overlay).save(out, "PNG")
    with reporting("cannot be written", folder, "Check the path given as --explain", UserError):
        if isinstance(folder, Path):
            folder.mkdir(parents=True, exist_ok=True)
        target = _free(folder, safe_name(name))
        write_atomically(target, out.getvalue())
    return target


def safe_name(name: str) -> str:
    """A file name without suffix that stays in its folder, whatever ``name`` is."""
    last = re.split(r"[/\\]", name)[-1]
    stem = last.rpartition(".")[0] or last
    plain = "".join(one if one.isalnum() or one in "-_ ." else "_" for one in stem).strip(" .")
    cut = plain.encode(errors="replace")[:_NAME_BYTES].decode(errors="ignore")
    return cut or "picture"


def _free(folder: AnyPath, stem: str) -> AnyPath:
    target, number = folder / f"{stem}.png", 1
    while target.exists() or (isinstance(target, Path) and target.is_symlink()):
        number += 1
        target = folder / f"{stem}-{number}.png"
    return target


def _layer(network: nn.Sequential, view: Tensor) -> tuple[int, nn.Module]:
    """The last stage whose map is large enough to show a place: position in STAGES, and module."""
    layers = [_before_transition(stage) for stage in network[1 : 1 + len(STAGES)]]
    sides: dict[int, int] = {}

    def measure(place: int) -> Callable[[nn.Module, object, Tensor], None]:
        return lambda module, given, seen: sides.update({place: min(seen.shape[2:])})

    hooks = [layer.register_forward_hook(measure(place)) for place, layer in enumerate(layers)]
    with torch.no_grad():
        network(view)
    for hook in hooks:
        hook.remove()
    last = len(STAGES) - 1
    wanted = [last] if sides[last] >= SMALLEST else [p for p in sides if sides[p] >= WANTED]
    place = max(wanted) if wanted else max(sides, key=lambda one: sides[one])
    return place, layers[place]


def _before_transition(stage: nn.Module) -> nn.Module:
    """A DenseNet's stage ends with a transition that halves the map: the block before it."""
    if isinstance(stage, nn.Sequential) and isinstance(stage[-1], _Transition):
        return stage[0]
    return stage


def _overlay(face: Pixels, heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The face (crop, crop, 1|3), enlarged, and more of the colour the hotter a place is."""
    colours = needs("explain", "matplotlib").colormaps[_COLOURS]
    crop = face.shape[0]
    side = crop * max(1, -(-_SHOWN // crop))
    picture = Image.fromarray(face[:, :, 0] if face.shape[2] == 1 else face).convert("RGB")
    below = np.asarray(picture.resize((side, side), Image.Resampling.BICUBIC), dtype=np.float32)
    large = Image.fromarray(heat).resize((side, side), Image.Resampling.BILINEAR)
    hot = np.asarray(large, dtype=np.float32).clip(0, 1)
    opacity = _OPACITY * hot[:, :, None]
    mixed = (1 - opacity) * below + opacity * 255 * colours(hot)[:, :, :3]
    overlay: NDArray[np.uint8] = np.round(mixed).astype(np.uint8)
    return overlay
