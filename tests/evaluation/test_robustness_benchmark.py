import pytest

from benchmarks.robustness import missed, ratio, with_earlier


def run(indices, queries):
    return {"indices_succ": indices, "queries_succ": queries}


def test_a_ratio_is_of_means_over_the_images_fooled():
    ours = [run([0, 1], [100, 200]), run([0, 2], [300, 200])]  # mean 200
    figures = ratio(ours, run([0, 1], [150, 350]), "queries_succ", images=3, resamples=200)
    assert (figures["ours"], figures["robustcheck"], figures["ratio"]) == (200, 250, 0.8)
    assert figures["low"] <= 0.8 <= figures["high"]


def test_runs_that_are_the_same_have_ratio_one_for_sure():
    same = run(list(range(20)), list(range(100, 120)))
    figures = ratio([same, same], same, "queries_succ", images=20, resamples=200)
    assert [figures[name] for name in ("ratio", "low", "high")] == pytest.approx([1, 1, 1])


def test_figures_of_other_attacks_stay_where_machine_and_weights_are_the_same(tmp_path):
    path = tmp_path / "robustness.json"
    path.write_text('{"machine": {"cores": 2}, "weights_id": "a", "attacks": [{"attack": "simba", "n": 1}]}')
    now = {"machine": {"cores": 2}, "weights_id": "a", "attacks": [{"attack": "evoba", "n": 2}]}
    assert [each["attack"] for each in with_earlier(now, path)["attacks"]] == ["evoba", "simba"]
    assert with_earlier({**now, "weights_id": "b"}, path)["attacks"] == now["attacks"]


def test_what_misses_its_bounds_is_named():
    ratios = {
        "queries": {"low": 0.95, "high": 1.05},
        "L0": {"low": 0.89, "high": 1.0},
        "L2": {"low": 1.0, "high": 1.11},
    }
    assert missed({"ratios": ratios, "queries_per_second": {"times": 49.4}}) == [
        "the interval of L0 reaches out of 0.9 to 1.1",
        "the interval of L2 reaches out of 0.9 to 1.1",
        "49 times the queries per second, not 50",
    ]
    assert missed({"ratios": {"queries": ratios["queries"]}, "queries_per_second": {"times": 60.0}}) == []
