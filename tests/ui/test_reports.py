"""Reports as the Stress test tab finds, checks and tells them."""

import json
import os

import pytest

from evaluation.report import FORMAT as WRITTEN_FORMAT
from flagging.attempts import Refused
from retrain.settings import RoundSettings
from tests.made_report import made_report, write_report
from ui import reports as module
from ui.game import Game
from ui.reports import FORMAT, Reports, told
from ui.stress import stress_tab

A, B = "a" * 16, "b" * 16


@pytest.fixture
def folder(home):
    return home.folder / "reports"


@pytest.fixture
def server(home):
    game = Game(home, RoundSettings(auto_retrain=False), live=True, maintainer_token="t" * 20, environment={})
    return {function.__name__: function for function in stress_tab(game).server_fns} | {"game": game}


def html_of(folder, weights_id=A):
    return next(report.html for report in Reports(folder).newest() if report.weights_id == weights_id)


def test_the_page_reads_the_format_that_is_written():
    assert FORMAT == WRITTEN_FORMAT


def test_without_a_report_there_is_nothing(server):
    answer = server["overview"]({"version": None})
    assert (answer["html"], answer["missing"]) == ("", False)


def test_a_report_is_told_in_words_and_figures(folder):
    write_report(folder, made_report(A))
    html = html_of(folder)
    assert "99.43 % <small>(99.26 to 99.56)</small>" in html
    assert "<td>10,000</td>" in html
    assert "It reads what it should." in html
    assert "fooling, round 1 *</th>" in html
    assert "had to misread them" in html


def test_a_set_without_images_is_left_out(folder):
    report = made_report(A)
    report["sets"][1] |= {"n": 0, "accuracy": {"hits": 0, "n": 0, "value": None, "low": None, "high": None}}
    write_report(folder, report)
    assert "fooling" not in html_of(folder)


def test_newest_first_and_what_is_served_is_marked(folder):
    for weights_id, when in ((A, 2000), (B, 1000)):
        os.utime(write_report(folder, made_report(weights_id)) / "report.json", (when, when))
    reports = Reports(folder).newest()
    assert [report.weights_id for report in reports] == [A, B]
    html = told(reports, B)
    assert html.index(A) < html.index(B) < html.index("served now")
    assert html.count(" open>") == 1


def test_weights_served_without_a_report_are_named_as_missing(folder, server):
    write_report(folder, made_report(A))
    assert server["overview"]({})["missing"]
    write_report(folder, made_report(server["game"].served.weights_id))
    assert not server["overview"]({})["missing"]


def test_only_what_changed_is_sent_again(folder, server):
    write_report(folder, made_report(A))
    first = server["overview"]({})
    assert server["overview"]({"version": first["version"]}) == {"version": first["version"]}
    write_report(folder, made_report(A) | {"summary": ["Something else was measured."]})
    assert "Something else" in server["overview"]({"version": first["version"]})["html"]


def test_nothing_of_a_report_is_taken_for_html(folder):
    report = made_report(A) | {"summary": ["<script>alert(1)</script>"]}
    report["sets"][0] |= {"name": "<b>", "what": '"><img>'}
    write_report(folder, report)
    assert not any(tag in html_of(folder) for tag in ("<script>", "<b>", "<img>"))


DAMAGES = [
    "",
    "[]",
    "{}",
    "null",
    "[" * 5000,
    json.dumps(made_report(A) | {"sets": [1]}),
    json.dumps(made_report(A) | {"summary": [{}]}),
    json.dumps(made_report(A) | {"sets": [made_report(A)["sets"][0] | {"kind": "other"}]}),
    json.dumps(made_report(A) | {"round": float("inf")}),
    json.dumps(made_report(A) | {"round": float("nan")}),
    json.dumps(made_report(A) | {"summary": ["\ud800"]}),
    json.dumps(
        made_report(A)
        | {"sets": [made_report(A)["sets"][0] | {"n": 10**400, "accuracy": {"value": 10**400, "low": 0, "high": 1}}]}
    ),
    json.dumps(
        made_report(A) | {"sets": [made_report(A)["sets"][0] | {"accuracy": {"value": 99.0, "low": 0, "high": 1}}]}
    ),
]


@pytest.mark.parametrize("damage", DAMAGES, ids=range(len(DAMAGES)))
def test_a_damaged_report_gives_a_sentence_for_it_alone(folder, damage):
    write_report(folder, made_report(B))
    (write_report(folder, made_report(A)) / "report.json").write_text(damage)
    assert f"cannot be read: report.json is damaged. Make it again: <code>python -m evaluation report {A}" in html_of(
        folder
    )
    assert "99.43 %" in html_of(folder, B)


def test_a_report_of_another_format_of_other_weights_or_too_large_says_so(folder, monkeypatch):
    path = write_report(folder, made_report(A) | {"format": 2}) / "report.json"
    assert "it has format 2, and this page reads format 1" in html_of(folder)
    path.write_text(json.dumps(made_report(B)))
    assert f"it is of weights {B}" in html_of(folder)
    monkeypatch.setattr(module, "MOST_JSON", 100)
    assert "report.json has" in html_of(folder)


def test_the_full_report_is_its_page(folder, server):
    write_report(folder, made_report(A), "<!doctype html><p>everything")
    assert server["full"]({"weights_id": A}) == {"html": "<!doctype html><p>everything"}


@pytest.mark.parametrize("asked", [B, "..", f"../reports/{A}", f"{A}/", "", None, 3, [A], "secret", "c" * 16])
def test_only_reports_in_the_listing_are_given_out(folder, server, asked):
    write_report(folder, made_report(A))
    for outside in (folder.parent / "secret", folder / "secret"):
        outside.mkdir()
        (outside / "report.html").write_text("secret")
    (folder / ("c" * 16)).symlink_to(folder.parent / "secret")
    assert list(server["full"]({"weights_id": asked})) == ["error"]


def test_a_page_that_is_a_link_to_elsewhere_is_not_given_out(folder):
    path = write_report(folder, made_report(A))
    (folder.parent / "key").write_text("secret")
    (path / "report.html").unlink()
    (path / "report.html").symlink_to(folder.parent / "key")
    with pytest.raises(Refused, match="there is no full report"):
        Reports(folder).page(A)


def test_a_page_that_is_no_text_is_named_without_its_path(folder):
    path = write_report(folder, made_report(A))
    (path / "report.html").write_bytes(b"\xff")
    with pytest.raises(Refused, match=f"the full report of weights {A} cannot be read; `python"):
        Reports(folder).page(A)


def test_a_file_that_never_ends_is_not_waited_for(folder):
    write_report(folder, made_report(B))
    (folder / A).mkdir()
    os.mkfifo(folder / A / "report.json")
    assert [report.weights_id for report in Reports(folder).newest()] == [B]


def test_a_folder_that_is_none_gives_a_sentence_without_its_path(tmp_path):
    (tmp_path / "reports").write_text("")
    with pytest.raises(Refused, match=r"^the folder of the reports cannot be read$"):
        Reports(tmp_path / "reports").newest()


def test_a_full_report_that_is_too_large_is_refused(folder, monkeypatch):
    write_report(folder, made_report(A))
    monkeypatch.setattr(module, "MOST_HTML", 3)
    with pytest.raises(Refused, match="too large to show here"):
        Reports(folder).page(A)
