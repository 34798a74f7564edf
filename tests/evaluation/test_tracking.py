import importlib
import os
import sys

import pytest
import torch

from evaluation.black_box import EvoBA, attack_images
from evaluation.extras import ExtraMissing
from evaluation.robustness import robustness_statistics
from evaluation.tracking import TrackingRefused, log_to_mlflow
from tests.attacked import attacked_images, brightness

# MLflow's own: it asks SQLAlchemy 2.1 for a way of loading that will go.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def mlflow(monkeypatch):
    """MLflow, silent about itself. Missing: a failure where CI=true, elsewhere a skip."""
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    try:
        return importlib.import_module("mlflow")
    except ModuleNotFoundError:
        reason = "mlflow is not installed; run `pip install -r requirements-mlflow.txt` to run this test"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)


def test_a_run_holds_parameters_metrics_figures_and_examples(mlflow, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    attacked, uri = attacked_images(), f"sqlite:///{tmp_path}/kept/runs.db"
    (tmp_path / "kept").mkdir()
    run_id = log_to_mlflow(attacked, "a name", "an experiment", uri, {"weights_id": "abc"})
    client, figures = mlflow.MlflowClient(uri), robustness_statistics(attacked)
    run = client.get_run(run_id)
    assert (run.info.run_name, run.info.status) == ("a name", "FINISHED")
    assert client.get_experiment(run.info.experiment_id).name == "an experiment"
    assert run.data.params["attack"] == "EvoBA"
    assert run.data.params["attack_generation"] == "30"
    assert run.data.params["seed"] == "1"
    assert run.data.params["weights_id"] == "abc"
    for name in ("count_succ", "adversarial_accuracy", "success_rate_low", "l2_dists_succ_mean_pp"):
        assert run.data.metrics[name] == pytest.approx(figures[name])
    curve = client.get_metric_history(run_id, "accuracy")
    assert sorted([each.step, each.value] for each in curve) == figures["accuracy_by_queries"]
    logged = {file.path for file in client.list_artifacts(run_id)}
    assert logged >= {"robustness.json", "queries.png", "l0.png", "l2.png", "accuracy_by_queries.png", "examples.png"}
    assert {path.name for path in tmp_path.iterdir()} == {"kept"}  # no mlruns folder where one happens to stand
    assert log_to_mlflow(attacked, "another", "an experiment", uri) != run_id


def test_what_is_unknown_is_left_out(mlflow, tmp_path):
    attacked = attack_images(brightness, torch.zeros(2, 5, 5), [1, 1], EvoBA())  # nothing read correctly
    uri = f"sqlite:///{tmp_path}/runs.db"
    metrics = mlflow.MlflowClient(uri).get_run(log_to_mlflow(attacked, "none", tracking_uri=uri)).data.metrics
    assert metrics["count_succ"] == 0
    assert "queries_succ_mean" not in metrics


def test_a_store_mlflow_does_not_take_is_named(mlflow, tmp_path):
    with pytest.raises(TrackingRefused, match=r"MLflow at .*/mlruns did not take the run"):
        log_to_mlflow(attacked_images(), "a name", tracking_uri=f"file://{tmp_path}/mlruns")


def test_without_mlflow_a_sentence_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(ExtraMissing, match="pip install -r requirements-mlflow.txt"):
        log_to_mlflow(attacked_images(), "a name")
