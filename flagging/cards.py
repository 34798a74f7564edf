"""The cards of the repositories on the Hub: what a stranger must know before using drawings or weights."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from flagging.decisions import ClosedRound

DIGITS = range(10)
SPLITS = ("train", "test")
DEFAULT = "fooling"  # the config that load_dataset gives when none is named
STATES = ("pending", "verified", "corrected", "rejected", "ambiguous")
SHOWN = 100  # rounds in a card's table
COLUMNS = """| column | |
|---|---|
| `attempt_id` | random id of the drawing |
| `image` | 28 x 28 grey, ink is white: what the model got |
| `label` | the digit its annotator meant |
| `prediction`, `probabilities` | what the model saw when it was submitted |
| `model_wrong` | `prediction` is not `label` |
| `state` | what other annotators' blind readings made of a fooling drawing: `pending`, `verified` (they read `label`), `corrected` (they agree on another digit, `judged_label`), `rejected` (they read what the model read), `ambiguous`; none where the model was right |
| `judged_label` | the digit the others agreed on |
| `split` | `train` or `test`, fixed at birth by a keyed hash of annotator, label and round; test drawings are never trained on |
| `strokes` | JSON `[[[x, y] or [x, y, ms], ...], ...]`, pen strokes on a 280 x 280 canvas, y downwards; the image is made from them |
| `round` | rounds end with a retraining, a refused one, or a return to earlier weights |
| `promotion`, `weights_id` | which weights answered: ids are hashes of the weights file |
| `annotator` | a keyed hash |
| `raster_version` | version of the function from strokes to pixels |
| `created_at` | UTC, rounded down to the hour |
"""


@dataclass(frozen=True)
class Counts:
    """Drawings in the dataset: by config and split, and the fooling ones by digit and state."""

    splits: dict[str, dict[str, int]]
    digits: dict[str, dict[str, int]]

    @classmethod
    def sum(cls, parts: "Iterable[Counts]") -> "Counts":
        """Of many rounds: there may be thousands."""
        splits: dict[str, dict[str, int]] = {}
        digits: dict[str, dict[str, int]] = {}
        for part in parts:
            _add(splits, part.splits)
            _add(digits, part.digits)
        return cls(splits, digits)


def dataset_card(counts: Counts, closed: Sequence[ClosedRound], repository: str, model: str | None = None) -> str:
    """closed: the newest closed rounds, oldest first. A config or split without a drawing is left out: `datasets` cannot load it."""
    return f"""---
license: cc0-1.0
pretty_name: Digits drawn to fool a model
task_categories: [image-classification]
size_categories: [{_size(counts)}]
tags: [mnist, dynamic-adversarial-data-collection, human-in-the-loop, hoodwink]
{_configs(counts)}---
# Digits drawn to fool a model

Drawn by people with Hoodwink, who saw what the model took their drawing for and tried to be misread: dynamic adversarial
data collection on MNIST. A drawing is *fooling* when the model's prediction differs from the digit its annotator meant.
When enough have come in, the model is fine-tuned on clean and fooling digits, must pass a gate, and takes over; a round ends.

{_how_to_load(counts, repository)}
| config | what | train | test |
|---|---|---|---|
| `fooling` | fooled the model; not those that others read as the model did (`rejected`) | {_row(counts, "fooling")} |
| `verified` | `verified` and `corrected` ones | {_row(counts, "verified")} |
| `all` | every attempt, fooling or not | {_row(counts, "all")} |

Drawings that were taken back, or hidden by a maintainer, are in none of them; the open round's come when it closes.

## Columns

{COLUMNS}
## Rounds

{_rounds(closed)}
## Fooling drawings by digit and state

{_digits(counts)}
## How they were collected

People draw on a web page with mouse, finger or pen, see the prediction while they draw (unless the operator hid it), and
then say which digit they meant. The server makes the image and the prediction by itself, from the strokes. Others may judge a
fooling drawing blind: they see the drawing, not what was meant or seen. MER, the model error rate, is fooling drawings over
attempts; people redraw until the model is fooled, so it says little without the number of tries.

## Protection of annotators

An annotator is a keyed hash of a random token in their browser, or of their user id when signed in; the key is not
published. No name, address or browser is recorded. Times are rounded down to the hour, in the files that `load_dataset` reads; the
shards in `raw/`, from which the game restores itself, hold exact times. Whoever drew something can withdraw it on the page:
then it is deleted here, in `raw/` too, and from this repository's history. Weights that were trained on it remain. Handwriting may
be characteristic of a person: do not try to find out whose a drawing is.

## Limits

- Adversarial drawings are not like everyday handwriting: use them beside other data, and measure on other data too.
- They fooled certain weights (`weights_id`); others may read them without trouble.
- Labels are what annotators said they meant. Where nobody judged (`pending`), some are wrong, a few on purpose.
- Who draws is nobody's random sample; a few annotators may have made most of it (count `annotator`).
- Near-copies of a drawing occur. The split keeps one hand's variants of a digit in a round together, not all copies.

## Licence and citation

CC0 1.0: use it for anything.{f" The weights of each round are in [{model}](https://huggingface.co/{model})." if model else ""}

```bibtex
@misc{{hoodwink,
  title = {{Digits drawn to fool a model, collected with Hoodwink}},
  howpublished = {{\\url{{https://huggingface.co/datasets/{repository}}}}},
  note = {{{closed[-1].number if closed else 0} rounds}}
}}
```
"""


def model_card(closed: Sequence[ClosedRound], repository: str, dataset: str, space: str | None = None) -> str:
    """What the served weights are, how they did, and how to load them. closed: all rounds, oldest first.

    space: where the code is.
    """
    changed = [r for r in closed if r.decision != "refused"]
    newest = changed[-1] if changed else None
    tag = f"round-{newest.number}" if newest else "round-0"
    return f"""---
license: mit
library_name: pytorch
pipeline_tag: image-classification
tags: [mnist, dynamic-adversarial-data-collection, adversarial-training, hoodwink]
datasets: [{dataset}]
{_model_index(newest, repository)}---
# A digit classifier that people have tried to hoodwink

A small convolutional network (21,840 parameters) for 28 x 28 digits, fine-tuned round by round on clean digits and on drawings
that fooled it, from [{dataset}](https://huggingface.co/datasets/{dataset}). `model.safetensors` are the weights that are served
now; each round that changed them has a tag, `round-0` are those it began with; `weights/` holds all of them by id. Weights files
carry their card, with parent, recipe, seed and data, in their header.

```python
from huggingface_hub import hf_hub_download
from model.weights import build_network, read_weights  # of Hoodwink's code
network = build_network(read_weights(hf_hub_download("{repository}", "model.safetensors", revision="{tag}")))
```

Run it in a checkout of Hoodwink's code{_code(space)}. `network(images)` takes (N, 1, 28, 28) with pixels in [0, 1], ink is 1, and gives logits (N, 10).

## Evaluation

Clean accuracy is the share correct on the clean test digits named in the table; it was reported, never decided on. MER is the share of submitted
drawings that fooled the weights serving in that round (people redraw until it does). Fooling accuracy: on held-out drawings of that
round, which the weights before it got wrong by construction.

{_evaluation(closed)}
## Limits

Made for the game, on two cores in seconds. It knows digits drawn with one pen on one canvas, and MNIST's. It always answers
with a digit, also for what is none.
"""


def _add(total: dict[str, dict[str, int]], part: dict[str, dict[str, int]]) -> None:
    for name, counts in part.items():
        of_name = total.setdefault(name, {})
        for key, count in counts.items():
            of_name[key] = of_name.get(key, 0) + count


def _code(space: str | None) -> str:
    return f": `git clone https://huggingface.co/spaces/{space}`" if space else ""


def _configs(counts: Counts) -> str:
    filled = {config: splits for config, splits in counts.splits.items() if any(splits.values())}
    if not filled:
        return "viewer: false\n"  # else the Hub would take the raw shards for the dataset
    return "configs:\n" + "".join(
        f"- config_name: {config}\n"
        + ("  default: true\n" if config == DEFAULT else "")
        + "  data_files:\n"
        + "".join(
            f"  - split: {split}\n    path: {config}/{split}-*.parquet\n" for split in SPLITS if splits.get(split)
        )
        for config, splits in filled.items()
    )


def _how_to_load(counts: Counts, repository: str) -> str:
    if not any(any(splits.values()) for splits in counts.splits.values()):
        return "There is nothing to load yet: drawings come when the first round is closed.\n"
    return f"""```python
from datasets import load_dataset

fooling = load_dataset("{repository}")  # "verified": those that others confirmed; "all": every attempt
```
"""


def _size(counts: Counts) -> str:
    total = sum(counts.splits.get("all", {}).values())
    for most, name in ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M")):
        if total < most:
            return name
    return "1M<n<10M"


def _row(counts: Counts, config: str) -> str:
    return " | ".join(str(counts.splits.get(config, {}).get(split, 0)) for split in SPLITS)


def _rounds(closed: Sequence[ClosedRound]) -> str:
    if not closed:
        return "None was closed yet.\n"
    earlier = [f"The newest {SHOWN}.", ""] if closed[0].number > 1 else []
    names = "| round | decision | weights | tries | attempts | fooling | verified | pending |"
    lines = [*earlier, names, "|---|---|---|---|---|---|---|---|"]
    for r in closed:
        c = r.counts
        lines.append(
            f"| {r.number} | {r.decision} | `{r.weights_id}` | {c.tries} | {c.attempts} | {c.fooling} | {c.verified} | {c.pending} |"
        )
    return "\n".join(lines) + "\n"


def _digits(counts: Counts) -> str:
    lines = [f"| meant | {' | '.join(STATES)} | all |", "|---" * (len(STATES) + 2) + "|"]
    for digit in DIGITS:
        of_digit = [counts.digits.get(str(digit), {}).get(state, 0) for state in STATES]
        lines.append(f"| {digit} | {' | '.join(map(str, of_digit))} | {sum(of_digit)} |")
    return "\n".join(lines) + "\n"


def _evaluation(closed: Sequence[ClosedRound]) -> str:
    if not closed:
        return "No round was closed yet.\n"
    lines = [
        "| round | decision | weights | clean accuracy before | after | measured on | fooling accuracy | attempts | MER |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for r in closed:
        f, c = r.figures, r.counts
        lines.append(
            f"| {r.number} | {r.decision} | `{r.weights_id}` | {_percent(f.get('clean_accuracy_before'))} "
            f"| {_percent(f.get('clean_accuracy_after'))} | {f.get('clean_n') or '-'} digits, {f.get('clean_source') or '-'} "
            f"| {_percent(f.get('fooling_accuracy_after')) if f.get('fooling_n') else '-'} ({f.get('fooling_n') or 0}) "
            f"| {c.attempts} | {_percent(c.fooling / c.attempts if c.attempts else None)} |"
        )
    return "\n".join(lines) + "\n"


def _model_index(newest: ClosedRound | None, repository: str) -> str:
    """The Hub shows this beside the card; only what was measured on MNIST's test images says so."""
    figures: dict[str, Any] = newest.figures if newest else {}
    clean = figures.get("clean_accuracy_after")
    if clean is None or figures.get("clean_source") != "MNIST":
        return ""
    return f"""model-index:
- name: {json.dumps(repository.split("/")[1])}
  results:
  - task:
      type: image-classification
    dataset:
      type: mnist
      name: MNIST
      split: test
    metrics:
    - type: accuracy
      name: clean accuracy
      value: {clean:.4f}
"""


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f} %"
