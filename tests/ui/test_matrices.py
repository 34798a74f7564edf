"""Tables of coloured cells: the numbers in them, and how they are marked."""

import re
from dataclasses import asdict

from evaluation.metrics import share
from retrain.history import Matrix
from ui.matrices import confusion_table, weights_matrix


def cell(hits, n, by_construction=False):
    return {"by_construction": by_construction, **asdict(share(hits, n))}


def made(*rows, sets=(1, 2)):
    weights = [{"round": 2 * n, "weights_id": f"weights-{n}"} for n in range(len(rows))]
    return Matrix(weights, list(sets), list(rows))


def cells_of(html):
    return re.findall(r'<td class="([\w-]+)"[^>]*>([^<]*)<small>([^<]*)</small>', html)


def test_every_cell_holds_its_share_and_interval_and_every_column_its_n():
    html = weights_matrix(made([cell(15, 30), cell(40, 40)]), "")
    assert cells_of(html) == [("shade", "50 %", "33 to 67 %"), ("shade", "100 %", "91 to 100 %")]
    assert re.findall(r"round (\d)<small>n = (\d+)</small>", html) == [("1", "30"), ("2", "40")]
    assert "--share: 0.500" in html


def test_a_cell_of_fewer_than_20_drawings_is_greyed_and_says_how_many():
    html = weights_matrix(made([cell(3, 19), cell(3, 20)]), "")
    assert [(kind, small) for kind, _, small in cells_of(html)] == [("few", "3 of 19"), ("shade", "5.2 to 36 %")]


def test_what_was_fooled_by_construction_is_marked_whatever_its_n():
    html = weights_matrix(made([cell(0, 30, True), cell(0, 5, True)]), "")
    assert [kind for kind, _, _ in cells_of(html)] == ["by-construction", "by-construction"]
    assert html.count("collected by fooling just these weights") == 2


def test_weights_that_cannot_be_read_are_unknown_and_not_zero():
    html = weights_matrix(made([cell(0, 0), cell(9, 30)]), "")
    assert '<td class="unknown" title="these weights could not be read">?</td>' in html


def test_rows_are_named_by_round_and_the_served_one_says_so():
    html = weights_matrix(made([cell(1, 30), cell(1, 30)], [cell(2, 30), cell(2, 30)]), "weights-1")
    names = re.findall(r'<th scope="row">(.*?)</th>', html)
    assert names == ["round-0 weights", "round 2<small>served now</small>"]


def test_without_a_test_set_there_is_no_matrix():
    assert weights_matrix(made([], sets=()), "") == ""


def counts(**given):
    table = [[0] * 10 for _ in range(10)]
    for pair, count in given.items():
        table[int(pair[1])][int(pair[2])] = count
    return table


def test_confusion_has_what_was_meant_in_rows_and_what_was_seen_in_columns():
    html = confusion_table(counts(_49=8, _41=2, _44=10), "Round 1")
    assert '<td class="shade" style="--share: 1.000" title="meant 4, saw 9: 8 times">8</td>' in html
    assert '<td class="shade" style="--share: 0.250" title="meant 4, saw 1: 2 times">2</td>' in html
    assert '<td class="right" title="a 4 that was read correctly: 10 times">10</td>' in html
    assert '<td class="sum">10 of 20</td>' in html
    assert html.count('class="zero"') == 88
    assert "<caption>Round 1</caption>" in html


def test_without_a_drawing_there_is_no_confusion():
    assert confusion_table(counts(), "Round 1") == ""
    assert "10 of" not in confusion_table(counts(_11=3), "never fooled")
