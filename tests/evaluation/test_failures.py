import json
import re
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from typer.testing import CliRunner

from evaluation import study as studies
from evaluation.__main__ import app
from evaluation.failure_files import percent, write_failures
from evaluation.failures import find_failures, fooling_drawings
from evaluation.overlays import enlarged, overlay, png
from evaluation.study import Images
from flagging.attempts import Attempt
from model.network import Network
from tests.conftest import random_weights
from tests.made import add_fooling, close, made_digits


class Says(nn.Module):
    """Reads image i with the i-th row of probabilities; the image's first pixel is i."""

    def __init__(self, rows: list[list[float]]) -> None:
        super().__init__()
        self.rows = nn.Parameter(torch.tensor(rows).log())

    def forward(self, images):
        return self.rows[(images[:, 0, 0, 0] * 255).round().long()]


def numbered(labels: list[int], side: int = 4) -> Images:
    images = torch.zeros(len(labels), 1, side, side, dtype=torch.uint8)
    images[:, 0, 0, 0] = torch.arange(len(labels))
    return Images(images, torch.tensor(labels), [f"case-{i}" for i in range(len(labels))], [{} for _ in labels])


def frozen(ledger) -> list[Attempt]:
    """A closed round of fooling drawings; which of them are held out goes by annotator."""
    drawn = [attempt for number in range(12) for attempt in add_fooling(ledger, 2, f"annotator {number}")]
    close(ledger)
    return drawn


@pytest.fixture
def study():
    return studies.mnist(made_digits)


@pytest.fixture
def networks():
    torch.manual_seed(0)
    return {"aaaa": Network().eval(), "bbbb": Network().eval()}


def test_wrong_and_sure_of_it_counts_surest_first():
    network = Says([[0.95, 0.05], [0.08, 0.92], [0.15, 0.85], [0.03, 0.97]])
    found = find_failures({"a": network}, numbered([1, 0, 0, 1]))
    assert [case.id for case in found.cases] == ["case-0", "case-1"]  # case-2 is not sure enough, case-3 is right
    assert found.wrong == {"a": 3}
    (reading,) = found.cases[0].readings
    assert (found.cases[0].true, reading.predicted, reading.confidence) == (1, 0, pytest.approx(0.95))
    assert reading.probabilities == pytest.approx([0.95, 0.05])


def test_the_bound_itself_counts():
    found = find_failures({"a": Says([[0.25, 0.75]])}, numbered([0]), confidence=0.7499999)
    assert len(found.cases) == 1
    assert find_failures({"a": Says([[0.25, 0.75]])}, numbered([0]), confidence=0.7500001).cases == []


def test_the_top_n_however_sure_and_the_top_n_of_the_sure_ones():
    network = Says([[0.4, 0.6], [0.3, 0.7], [0.05, 0.95], [0.02, 0.98]])
    data = numbered([0, 0, 0, 0])
    assert [c.index for c in find_failures({"a": network}, data, None, 3).cases] == [3, 2, 1]
    assert [c.index for c in find_failures({"a": network}, data, 0.9, 3).cases] == [3, 2]
    assert [c.index for c in find_failures({"a": network}, data, 0.9, 1).cases] == [3]


def test_a_case_for_one_network_is_a_case_for_all():
    networks = {"a": Says([[0.05, 0.95], [0.9, 0.1]]), "b": Says([[0.9, 0.1], [0.01, 0.99]])}
    found = find_failures(networks, numbered([0, 0]))
    assert [(c.index, c.mistaken.weights) for c in found.cases] == [(1, "b"), (0, "a")]
    assert [[r.predicted for r in c.readings] for c in found.cases] == [[0, 1], [1, 0]]


def test_nothing_wrong_is_said_in_a_sentence(tmp_path, study):
    data, network = numbered([0], side=28), {"a": Says([[0.99, 0.01]])}
    found = find_failures(network, data)
    assert found.sentence() == (
        "Nothing to show: of 1 images none is read wrongly with a confidence of 0.9 or more (a reads 0 wrongly)."
    )
    index = write_failures(found, study, network, data, tmp_path / "out")
    assert found.sentence() in index.read_text()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["failures.json", "index.md"]


def test_how_many_there_are_is_said_in_a_sentence():
    network, data = {"a": Says([[0.95, 0.05], [0.4, 0.6], [0.1, 0.9]])}, numbered([1, 0, 1])
    assert find_failures(network, data).sentence() == (
        "1 of 3 images is read wrongly with a confidence of 0.9 or more (95 % interval 6.15 to 79.23 %; a reads 2 wrongly)."
    )
    assert find_failures(network, data, None, 2).sentence() == (
        "The 2 surest wrong readings among 3 images (a reads 2 wrongly)."
    )


def test_drawings_that_fooled_just_these_weights_are_told_apart():
    data = numbered([1, 0, 1])
    data.notes[0]["fooled_weights"], data.notes[1]["fooled_weights"] = "a", "b"
    found = find_failures({"a": Says([[0.95, 0.05], [0.1, 0.9], [0.1, 0.9]])}, data)
    assert (found.wrong, found.had_to) == ({"a": 2}, {"a": 1})
    assert "a reads 2 wrongly, 1 that fooled just it" in found.sentence()


def test_what_an_interrupted_call_left_is_written_anew(study, tmp_path):
    torch.manual_seed(3)
    network, data = {"a": Network().eval()}, numbered([1, 2, 3], side=28)
    found = find_failures(network, data, None, 1)
    index = write_failures(found, study, network, data, tmp_path)
    (case,) = tmp_path.glob("001-*")
    (case / "case.json").unlink()
    (tmp_path / "002-mine-0-as-1").mkdir()
    (tmp_path / "002-mine-0-as-1" / "notes.txt").touch()
    write_failures(found, study, network, data, tmp_path)
    assert (case / "case.json").exists()
    assert index.exists()
    assert (tmp_path / "002-mine-0-as-1" / "notes.txt").exists()


def test_of_no_images_there_is_nothing(study, tmp_path):
    none = numbered([], side=28)
    found = find_failures({"a": Network()}, none)
    write_failures(found, study, {"a": Network()}, none, tmp_path)
    assert found.cases == []


@pytest.mark.parametrize(("bounds", "message"), [((1.5, None), "confidence is 1.5"), ((0.9, 0), "top is 0")])
def test_bounds_that_make_no_sense_are_refused(bounds, message):
    with pytest.raises(ValueError, match=message):
        find_failures({"a": Says([[0.5, 0.5]])}, numbered([0]), *bounds)


def test_each_case_has_a_folder_with_image_data_and_maps_of_every_network(tmp_path, study, networks):
    data = study.load().test
    found = find_failures(networks, data, None, 2)
    index = write_failures(found, study, networks, data, tmp_path, {"data": "made digits"})
    report = json.loads((tmp_path / "failures.json").read_text())
    assert (report["data"], len(report["folders"])) == ("made digits", 2)
    for case, name in zip(found.cases, report["folders"], strict=True):
        folder, true = tmp_path / name, case.true
        maps = {
            f"{r.weights}-{what}.png" for r in case.readings for what in (f"predicted-{r.predicted}", f"true-{true}")
        }
        assert {path.name for path in folder.iterdir()} == {"image.png", "case.json"} | maps
        facts = json.loads((folder / "case.json").read_text())
        assert (facts["id"], facts["true"]) == (case.id, str(true))
        assert [r["confidence"] for r in facts["readings"]] == [r.confidence for r in case.readings]
        assert facts["pixels"] == data.images[case.index, 0].tolist()
    with Image.open(tmp_path / "contact_sheet.png") as sheet:
        assert sheet.width > 500
    for target in re.findall(r"\]\((.*?)\)", index.read_text()):
        assert (tmp_path / target).exists(), target


def test_the_map_in_the_folder_is_grad_cam_of_that_class(tmp_path, study, networks):
    data = study.load().test
    found = find_failures(networks, data, None, 1)
    write_failures(found, study, networks, data, tmp_path)
    (case,), image = found.cases, data.images[found.cases[0].index]
    for reading in case.readings:
        for what, which in (("predicted", reading.predicted), ("true", case.true)):
            heat = study.heat(networks[reading.weights], image.unsqueeze(0), which)[0]
            (path,) = tmp_path.glob(f"001-*/{reading.weights}-{what}-{which}.png")
            with Image.open(path) as picture:
                assert np.array_equal(np.asarray(picture), overlay(image, heat))


def test_what_an_earlier_call_wrote_is_replaced_and_nothing_else(tmp_path, study, networks):
    data = study.load().test
    (tmp_path / "notes.txt").write_text("mine")
    for top in (3, 1):
        write_failures(find_failures(networks, data, None, top), study, networks, data, tmp_path)
    assert len(list(tmp_path.glob("0*"))) == 1
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_digit_is_ink_on_paper_and_a_photograph_keeps_its_colours():
    digit = torch.zeros(1, 28, 28, dtype=torch.uint8)
    digit[0, 3, 5] = 255
    picture = enlarged(digit)
    assert picture.shape == (280, 280, 3)
    assert (picture[35, 55].tolist(), picture[35, 65].tolist()) == ([0, 0, 0], [255, 255, 255])
    photograph = torch.tensor([10, 20, 30], dtype=torch.uint8).reshape(3, 1, 1).expand(3, 32, 32)
    assert enlarged(photograph)[100, 100].tolist() == [10, 20, 30]
    assert np.array_equal(np.asarray(Image.open(BytesIO(png(picture)))), picture)


def test_without_heat_the_image_is_left_as_it_is():
    image = torch.randint(0, 256, (1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    assert np.array_equal(overlay(image, torch.zeros(28, 28)), enlarged(image))
    heat = torch.zeros(28, 28)
    heat[10, 20] = 1
    changed = (overlay(image, heat) != enlarged(image)).any(2).nonzero()
    assert (changed[0].mean(), changed[1].mean()) == (pytest.approx(104.5, abs=1), pytest.approx(204.5, abs=1))


def test_nothing_is_rounded_to_certainty():
    assert [percent(p) for p in (0.99997, 0.9, 0.0123, 0.00001)] == ["over 99.9 %", "90.0 %", "1.2 %", "under 0.1 %"]


def test_frozen_fooling_drawings_are_labelled_with_what_they_show(ledger):
    drawn = frozen(ledger)
    images = fooling_drawings(ledger)
    held_out = [attempt.attempt_id for attempt in drawn if attempt.split == "test"]
    assert images.ids == held_out != []
    assert images.labels.tolist() == [1] * len(held_out)
    assert images.notes[0]["meant_as"] == 1
    assert images.notes[0]["seen_as"] == 3
    assert images.images.shape == (len(held_out), 1, 28, 28)


def test_the_command_looks_at_fooling_drawings_with_every_weights_asked_for(home, ledger, tmp_path, monkeypatch):
    frozen(ledger)
    monkeypatch.setenv("HOODWINK_HOME", str(home.folder))
    monkeypatch.setenv("HOODWINK_ANNOTATOR_KEY", home.annotator_key.decode())
    ids = [random_weights(home.weights, seed).id for seed in (1, 2)]
    arguments = ["failures", *ids, "--data", "fooling", "--confidence", "0", "--out", str(tmp_path / "out"), "--json"]
    said = json.loads(CliRunner().invoke(app, arguments, catch_exceptions=False).stdout)
    assert list(said["wrong"]) == ids
    assert said["cases"][0]["notes"]["meant_as"] == 1
    assert [reading["weights"] for reading in said["cases"][0]["readings"]] == ids


def test_the_heat_of_a_study_is_that_of_its_layer(study, networks):
    images = study.load().test.images[:3]
    elsewhere = replace(study, layer=replace(study.layer, margin=0))
    assert not torch.allclose(study.heat(networks["aaaa"], images, 4), elsewhere.heat(networks["aaaa"], images, 4))
