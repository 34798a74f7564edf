"""The README's Python blocks run as they stand, and its commands and settings exist."""

import os
import re
import subprocess
import sys
from pathlib import Path

from benchmarks.server import REPOSITORY, RunningApp

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def run(code: str, folder: Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)} | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_dataset_and_api_blocks_run(tmp_path):
    dataset, api, *_ = BLOCKS
    settings = {"HOODWINK_AUTO_RETRAIN": "0", "HOODWINK_ANNOTATOR_KEY": "the key of this test"}
    with RunningApp(tmp_path / "data", settings) as app:
        said = run(api.replace("http://127.0.0.1:7860/", app.url), tmp_path)
        assert re.search(r"^\d\n(True|False) \d of 10$", said, re.MULTILINE)
        fool = """
from gradio_client import Client
for i in range(12):
    client = Client(URL, verbose=False, headers={"X-Hoodwink-Annotator": f"annotator {i}"})
    seen = client.predict([[[140, 60], [140, 220]]], api_name="/predict")["prediction"]
    client.predict([[[140, 60], [140, 220]]], (seen + 1 + i % 9) % 10, api_name="/submit")
"""
        run(fool.replace("URL", repr(app.url)), tmp_path)
    home = settings | {"HOODWINK_HOME": str(tmp_path / "data"), "HF_HOME": str(tmp_path / "hub")}
    for line in re.findall(r"^python -m flagging .*$", README, re.MULTILINE):
        done = subprocess.run(
            [sys.executable, *line.split()[1:]],
            cwd=tmp_path,
            env=os.environ | home | {"PYTHONPATH": str(REPOSITORY)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
    label, prediction = run(dataset, tmp_path, **home).split()
    assert label != prediction


def test_the_callback_block_runs(tmp_path):
    run(BLOCKS[2] + "\nprint(callback.flag([[[[140, 60], [140, 220]]], 1]))", tmp_path)
    assert (tmp_path / "flagged" / "ledger.sqlite").exists()


def test_the_attack_block_runs(tmp_path):
    (block,) = (each for each in BLOCKS if "attack_images" in each)
    assert 0 <= float(run(block, tmp_path)) < 1
    assert (tmp_path / "robustness" / "examples.png").exists()


def test_every_setting_the_code_reads_is_in_the_readme():
    code = "".join(
        path.read_text()
        for name in ("app.py", "model", "flagging", "retrain")
        for path in ([REPOSITORY / name] if name.endswith(".py") else (REPOSITORY / name).rglob("*.py"))
    )
    not_built_yet = {"HOODWINK_HUB_DATASET", "HOODWINK_HUB_MODEL"}
    for variable in set(re.findall(r"HOODWINK_[A-Z_]+", code)) - not_built_yet:
        assert f"`{variable}`" in README, variable


def test_every_folder_in_the_tree_exists():
    tree = README.split("## The tree")[1].split("```")[1]
    for name in re.findall(r"^(\S+)  ", tree, re.MULTILINE):
        assert (REPOSITORY / name).exists(), name


def test_what_it_links_to_exists_and_nothing_is_left_open():
    for target in re.findall(r"\]\((?!http)([^)]+)\)", README):
        assert (REPOSITORY / target).exists(), target
    assert "RESULTS" not in README
