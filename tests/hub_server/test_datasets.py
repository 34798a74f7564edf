"""load_dataset against the server, in a process of its own because datasets reads HF_ENDPOINT when imported."""

import io
import json
import os
import subprocess
import sys
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from tests.hub_server import HubServer

CARD = b"""---
configs:
- config_name: all
  data_files:
  - split: train
    path: "data/*/train-*.parquet"
  - split: test
    path: "data/*/test-*.parquet"
  default: true
- config_name: round-1
  data_files:
  - split: train
    path: "data/round-1/train-*.parquet"
---
Digits
"""


def digits(count: int, label: int) -> bytes:
    """A Parquet file of drawings whose column `image` is an Image feature."""
    buffer = io.BytesIO()
    Image.new("L", (28, 28), 7).save(buffer, "PNG")
    images = pa.array(
        [{"bytes": buffer.getvalue(), "path": None}] * count, pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    )
    features = {"image": {"_type": "Image"}, "label": {"dtype": "int64", "_type": "Value"}}
    table = pa.table({"image": images, "label": [label] * count})
    table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    written = io.BytesIO()
    pq.write_table(table, written)
    return written.getvalue()


def run(hub: HubServer, program: str, **environment: str) -> Any:
    """What the program prints last, in a fresh cache."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | hub.environment_of(hub.token) | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def prepared(hub: HubServer) -> None:
    hub.create(
        "alice/digits",
        private=True,
        files={
            "README.md": CARD,
            "data/round-1/train-0.parquet": digits(3, 1),
            "data/round-1/test-0.parquet": digits(1, 1),
            "data/round-2/train-0.parquet": digits(4, 2),
            "raw/votes/a.parquet": digits(2, 9),
            "raw/votes/b.parquet": digits(2, 9),
        },
    )


def test_load_dataset_reads_configs_splits_images_and_plain_files(hub: HubServer) -> None:
    prepared(hub)
    found = run(
        hub,
        """
import json
from datasets import load_dataset
default = load_dataset("alice/digits")
named = load_dataset("alice/digits", "all", split="train")
first = load_dataset("alice/digits", "round-1")
votes = load_dataset("alice/digits", data_files="raw/votes/*.parquet", split="train")
streamed = next(iter(load_dataset("alice/digits", "round-1", split="train", streaming=True)))
image = named[0]["image"]
print(json.dumps([{s: d.num_rows for s, d in default.items()}, sorted(named["label"]), list(first),
                  len(votes), image.size, image.getpixel((0, 0)), streamed["image"].size]))
""",
    )
    assert found == [{"train": 7, "test": 1}, [1, 1, 1, 2, 2, 2, 2], ["train"], 4, [28, 28], 7, [28, 28]]
    assert hub.count("unknown") == 0


def test_load_dataset_sees_a_new_commit_and_can_be_given_a_revision(hub: HubServer) -> None:
    prepared(hub)
    old = hub.commits("alice/digits")[-1].id
    hub.commit("alice/digits", {"data/round-3/train-0.parquet": digits(5, 3)})
    found = run(
        hub,
        f"""
import json
from datasets import load_dataset
print(json.dumps([load_dataset("alice/digits", split="train", revision=r).num_rows for r in ("{old}", None)]))
""",
    )
    assert found == [7, 12]


def test_push_to_hub_writes_parquet_and_a_card(hub: HubServer) -> None:
    found = run(
        hub,
        """
import json
from datasets import Dataset, load_dataset
Dataset.from_dict({"label": [1, 2, 3]}).push_to_hub("alice/pushed", config_name="labels")
print(json.dumps(load_dataset("alice/pushed", "labels", split="train")["label"][:]))
""",
    )
    assert found == [1, 2, 3]
    assert set(hub.files("alice/pushed")) == {".gitattributes", "README.md", "labels/train-00000-of-00001.parquet"}
