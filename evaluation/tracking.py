"""An attack's run in MLflow: parameters, metrics, figures and example images."""

import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from evaluation.black_box import Attacked
from evaluation.extras import ExtraMissing
from evaluation.robustness import robustness_statistics
from evaluation.robustness_files import save_artifacts

AT_ONCE = 1000  # metrics a call; MLflow refuses more


class TrackingRefused(RuntimeError):
    """MLflow did not take a run; the message says where and why."""


def log_to_mlflow(
    attacked: Attacked,
    run_name: str,
    experiment_name: str = "robustness",
    tracking_uri: str = "sqlite:///mlflow.db",
    conditions: dict[str, Any] | None = None,
) -> str:
    """Log an attack as one run and give its id.

    tracking_uri: any MLflow takes; artifacts of a new experiment in an sqlite file lie beside it, in mlflow-artifacts.
    Parameters: the attack's settings, seed, budget and `conditions`. Metrics: every figure that is one number, and
    accuracy with queries as its step. Artifacts: those of `save_artifacts`.
    Raises ExtraMissing without mlflow, TrackingRefused if the store does not take the run.
    """
    mlflow = need_mlflow()
    metric, param = mlflow.entities.Metric, mlflow.entities.Param
    figures, now = robustness_statistics(attacked), int(time.time() * 1000)
    metrics = [metric(name, value, now, 0) for name, value in figures.items() if _is_metric(name, value)]
    metrics += [metric("accuracy", share, now, spent) for spent, share in figures["accuracy_by_queries"]]
    settings = {"seed": attacked.seed, "budget": attacked.budget, "pixel_max": attacked.pixels.high}
    settings |= {f"attack_{key}" if key != "name" else "attack": value for key, value in figures["attack"].items()}
    params = [param(key, str(value)) for key, value in {**settings, **(conditions or {})}.items()]
    try:
        client = mlflow.MlflowClient(tracking_uri=tracking_uri)
        run_id = str(
            client.create_run(_experiment(client, experiment_name, tracking_uri), run_name=run_name).info.run_id
        )
        try:
            client.log_batch(run_id, params=params)
            for first in range(0, len(metrics), AT_ONCE):
                client.log_batch(run_id, metrics=metrics[first : first + AT_ONCE])
            with tempfile.TemporaryDirectory() as folder:
                save_artifacts(attacked, folder, conditions)
                client.log_artifacts(run_id, folder)
        except BaseException:
            client.set_terminated(run_id, "FAILED")
            raise
        client.set_terminated(run_id)
    except mlflow.exceptions.MlflowException as error:
        raise TrackingRefused(f"MLflow at {tracking_uri} did not take the run: {error}") from error
    return run_id


def need_mlflow() -> Any:
    try:
        return import_module("mlflow")
    except ModuleNotFoundError as error:
        if error.name != "mlflow":
            raise
        raise ExtraMissing("mlflow is not installed; run `pip install -r requirements-mlflow.txt`") from error


def _is_metric(name: str, value: object) -> bool:
    return isinstance(value, int | float) and name not in ("seed", "budget")


def _experiment(client: Any, name: str, tracking_uri: str) -> str:
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    location, prefix = None, "sqlite:///"
    if tracking_uri.startswith(prefix):  # MLflow would put them into ./mlruns, wherever that is
        location = (Path(tracking_uri.removeprefix(prefix)).resolve().parent / "mlflow-artifacts").as_uri()
    return str(client.create_experiment(name, artifact_location=location))
