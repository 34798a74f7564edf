"""A whole report on a small made data set, and the command that makes it."""

import json
import re
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from typer.testing import CliRunner

from evaluation import __main__ as command
from evaluation.corruptions import CORRUPTIONS
from evaluation.gradient_attacks import GradientAttack
from evaluation.measures import measured, read
from evaluation.report import ReportSettings, make_report
from evaluation.report_files import write_report
from evaluation.report_run import run_report
from evaluation.test_sets import FrozenSet, frozen_sets
from model.clean_digits import Digits
from model.weights import build_network, install_shipped, load_weights, shipped_weights_id
from tests.conftest import random_weights
from tests.made import add_fooling, close

FEW = ReportSettings(
    attacked=10, attacks=(GradientAttack("FGSM", 0.1), GradientAttack("PGD", 0.1, steps=2, restarts=1)), timed=False
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A report on made digits, against random weights, with two rounds of drawings."""
    from tests.made import made_digits

    folder, digits = tmp_path_factory.mktemp("weights"), made_digits().test
    install_shipped(folder)
    weights, other = load_weights(folder, shipped_weights_id()), random_weights(folder, seed=2)
    wrong = Digits(digits.images[:6], (digits.labels[:6] + 1) % 10)
    frozen = [
        FrozenSet(1, wrong, (weights.id,) * 6),
        FrozenSet(2, Digits(digits.images[6:9], digits.labels[6:9]), ("b",) * 3),
    ]
    stages: list[tuple[str, float]] = []
    report = make_report(weights, digits, "made digits", frozen, FEW, lambda *at: stages.append(at), other)
    return SimpleNamespace(report=report, digits=digits, weights=weights, other=other, stages=stages)


def by_name(made):
    return {row["name"]: row for row in made.report.figures["sets"]}


def test_it_reads_clean_fooling_attacked_and_all_shifted_digits(made):
    assert list(by_name(made)) == [
        "clean",
        "fooling, round 1",
        "fooling, round 2",
        "fooling, all rounds",
        "fooling, other weights'",
        "FGSM 0.1",
        "PGD 0.1",
        *CORRUPTIONS,
    ]
    assert [row["n"] for row in by_name(made).values()][:7] == [100, 6, 3, 9, 3, 10, 10]


def test_identity_is_clean_and_drops_by_nothing(made):
    rows = by_name(made)
    assert rows["identity"]["confusion"] == rows["clean"]["confusion"]
    assert rows["identity"]["drop"]["value"] == 0
    assert rows["clean"]["drop"] is None


def test_clean_figures_are_those_of_the_network(made):
    expected = measured(read(build_network(made.weights), made.digits.images, made.digits.labels))
    assert {name: by_name(made)["clean"][name] for name in expected} == expected


def test_drawings_that_fooled_these_weights_are_counted(made):
    fooled = {name: row["fooled_these"] for name, row in by_name(made).items() if row["fooled_these"]}
    assert fooled == {"fooling, round 1": 6, "fooling, all rounds": 6}


def test_weights_are_not_compared_on_drawings_that_one_of_them_had_to_misread(made):
    unfair = [name for name, row in by_name(made).items() if not row["against"]["fair"]]
    assert unfair == ["fooling, round 1", "fooling, all rounds"]


def test_drawings_that_fooled_the_other_weights_are_left_out_of_the_fair_set(made):
    digits, frozen = made.digits, []
    for number, weights_id in enumerate((made.weights.id, made.other.id, "b"), start=1):
        some = slice(3 * number, 3 * number + number)
        frozen.append(FrozenSet(number, Digits(digits.images[some], digits.labels[some]), (weights_id,) * number))
    alone = make_report(made.weights, digits, "made digits", frozen, FEW)
    against = make_report(made.weights, digits, "made digits", frozen, FEW, against=made.other)
    n = {row["name"]: row["n"] for row in alone.figures["sets"]}
    n_against = {row["name"]: row["n"] for row in against.figures["sets"]}
    assert (n["fooling, other weights'"], n_against["fooling, other weights'"]) == (5, 3)


def test_attacks_are_compared_with_the_same_digits_unattacked(made):
    row, first = by_name(made)["PGD 0.1"], slice(10)
    unattacked = read(build_network(made.weights), made.digits.images[first], made.digits.labels[first])
    assert row["drop"]["paired"]
    assert row["drop"]["value"] == pytest.approx(float(unattacked.right.double().mean()) - row["accuracy"]["value"])
    assert not by_name(made)["fooling, all rounds"]["drop"]["paired"]


def test_other_weights_read_the_same_images(made):
    expected = measured(read(build_network(made.other), made.digits.images, made.digits.labels))
    row = by_name(made)["clean"]["against"]
    assert row["accuracy"] == expected["accuracy"]
    ours = by_name(made)["clean"]["accuracy"]["value"]
    assert row["difference"]["value"] == pytest.approx(ours - expected["accuracy"]["value"])


def test_conditions_stand_beside_the_figures(made):
    figures = made.report.figures
    assert figures["weights_id"] == made.weights.id
    assert figures["data"] == {"source": "made digits", "seed": 1, "attacked": 10}
    assert {"torch", "scikit-learn"} <= set(figures["conditions"]["versions"])
    assert figures["conditions"]["threads"] == torch.get_num_threads()


def test_progress_only_goes_forward_and_ends(made):
    shares = [share for _, share in made.stages]
    assert shares == sorted(shares)
    assert made.stages[-1] == ("done", 1.0)


def test_the_files_are_written_and_the_page_needs_nothing_else(made, tmp_path):
    write_report(made.report, tmp_path)
    names = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    figures = {f"figures/{name}.png" for name in ("accuracy", "digits", "confusion", "examples")}
    assert names == {"report.json", "report.md", "report.html"} | figures
    assert json.loads((tmp_path / "report.json").read_text()) == json.loads(json.dumps(made.report.figures))
    page = (tmp_path / "report.html").read_text()
    assert not re.findall(r"(?:src|href)=\"(?!data:)|url\(|<script|https?://", page)
    assert "prefers-color-scheme:dark" in page
    assert 'name="viewport"' in page
    for target in re.findall(r"\]\(([^)]+)\)", (tmp_path / "report.md").read_text()):
        assert (tmp_path / target).exists()


def test_sentences_are_escaped_on_the_page(made, tmp_path):
    from evaluation.report_page import page

    figures = made.report.figures | {"summary": ["<b>fooled</b> & more"]}
    assert "&lt;b&gt;fooled&lt;/b&gt; &amp; more" in page(figures, b"")


def test_the_same_seed_gives_the_same_figures(made):
    again = make_report(made.weights, made.digits, "made digits", [], FEW)
    rows = {row["name"]: row for row in again.figures["sets"]}
    assert rows["PGD 0.1"]["accuracy"] == by_name(made)["PGD 0.1"]["accuracy"]
    assert rows["fog"]["confusion"] == by_name(made)["fog"]["confusion"]
    other = make_report(made.weights, made.digits, "made digits", [], replace(FEW, seed=2))
    assert {row["name"]: row["loss"] for row in other.figures["sets"]}["fog"] != rows["fog"]["loss"]


def test_speed_is_told_for_one_and_a_thousand_images(made):
    from evaluation.speed import speed

    rows = speed(build_network(made.weights), made.digits.images)
    assert [row["batch"] for row in rows] == [1, 1000]
    assert all(0 < row["low"] <= row["milliseconds_per_image"] <= row["high"] for row in rows)
    assert all(row["threads"] == torch.get_num_threads() for row in rows)


def test_frozen_sets_come_from_the_ledger(ledger):
    for number in range(20):
        add_fooling(ledger, 1, annotator=f"annotator {number}")
    closed = close(ledger)
    (frozen,) = frozen_sets(ledger)
    assert (frozen.round, len(frozen.digits)) == (1, len(closed.test_set))
    assert set(frozen.fooled) == {shipped_weights_id()}
    assert len(frozen.without({"feedfeedfeedfeed"}).digits) == len(frozen.digits)
    assert len(frozen.without({shipped_weights_id()}).digits) == 0


def test_without_a_ledger_the_shipped_weights_are_reported(home, small_digits, tmp_path):
    figures, folder = run_report(home, lambda: small_digits, None, None, FEW, None, lambda *_: None)
    assert figures["weights_id"] == shipped_weights_id()
    assert folder == home.folder / "reports" / shipped_weights_id()
    assert "no frozen fooling drawing" in " ".join(figures["summary"])


def test_the_command_prints_json_alone(home, small_digits, monkeypatch):
    monkeypatch.setenv("HOODWINK_HOME", str(home.folder))
    monkeypatch.setattr(command, "load_digits", lambda: small_digits)
    result = CliRunner().invoke(command.app, ["report", "--attacked", "5", "--json"])
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert figures["data"]["attacked"] == 5
    assert (home.folder / "reports" / shipped_weights_id() / "report.html").exists()


def test_weights_that_are_not_there_are_named(home, small_digits):
    with pytest.raises(ValueError, match="weights 0123456789abcdef are not in"):
        run_report(home, lambda: small_digits, "0123456789abcdef", None, FEW, None, lambda *_: None)


@pytest.mark.parametrize(("wrong", "said"), [({"attacked": 0}, "attacked is 0"), ({"seed": -1}, "the seed is -1")])
def test_settings_that_make_no_sense_are_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        ReportSettings(**wrong)


def test_a_folder_that_cannot_be_made_ends_in_a_sentence_before_the_work(home, monkeypatch, tmp_path):
    monkeypatch.setenv("HOODWINK_HOME", str(home.folder))
    monkeypatch.setattr(command, "load_digits", lambda: pytest.fail("the work began"))
    (tmp_path / "taken").write_text("")
    monkeypatch.setattr(sys, "argv", ["evaluation", "report", "--out", str(tmp_path / "taken")])
    with pytest.raises(SystemExit, match=r"evaluation: .*taken"):
        command.main()


def test_what_is_shown_may_hold_brackets(capsys):
    command.show("in [/x] and [bold]")
    assert capsys.readouterr().out == "in [/x] and [bold]\n"
