import json
import os
import signal
import subprocess
import sys
import time

import pytest

from flagging.attempts import Refused
from model.weights import load_weights
from retrain.worker import ALREADY_RUNNING, REPOSITORY, STOPPED, Worker, WorkerFiles, WorkerState
from tests.conftest import random_weights
from tests.made import add_fooling


def until(condition, seconds=150):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if result := condition():
            return result
        time.sleep(0.05)
    raise AssertionError(f"{condition} did not come true within {seconds} s")


@pytest.fixture
def environment(home, ledger, mnist_folder, monkeypatch):
    monkeypatch.setenv("HOODWINK_HOME", str(home.folder))
    monkeypatch.setenv("HOODWINK_ANNOTATOR_KEY", home.annotator_key.decode())
    monkeypatch.setenv("HOODWINK_MNIST_DIR", str(mnist_folder))
    monkeypatch.setenv("HOODWINK_THRESHOLD", "3")
    return ledger


def retrain(*arguments):
    done = subprocess.run(
        [sys.executable, "-m", "retrain", *arguments], cwd=REPOSITORY, capture_output=True, text=True, timeout=120
    )
    return done.returncode, done.stdout, done.stderr


def test_one_worker_at_a_time(home, ledger):
    files = WorkerFiles(home)
    with files.held():
        assert files.is_held()
        with pytest.raises(Refused, match="a retraining is running already"), WorkerFiles(home).held():
            pass
    assert not files.is_held()


def test_a_progress_file_without_a_worker_is_not_believed(home, ledger):
    files = WorkerFiles(home)
    assert files.read() == WorkerState()
    with files.held():
        files.write(WorkerState("running", "fine-tuning", 0.5, 1))
        assert files.read().progress == 0.5
    assert (files.read().state, files.read().message) == ("failed", STOPPED)


def test_run_does_nothing_below_the_threshold(environment):
    add_fooling(environment, 2)
    code, out, _ = retrain("run", "--json")
    assert (code, json.loads(out)["decision"]) == (0, None)
    assert "2 of 3 new fooling drawings" in json.loads(out)["reason"]
    assert environment.closed_rounds() == []


def test_run_closes_a_round_and_says_what_it_did_though_one_was_killed_before(environment, worker):
    add_fooling(environment, 3)
    worker.start(now=False)
    until(lambda: worker.files.read().stage == "fine-tuning")
    worker._process.kill()
    until(lambda: not worker.is_running())
    code, out, errors = retrain("run", "--json")
    assert code == 0, errors
    told = json.loads(out)
    assert (told["round"], told["decision"]) == (1, "promoted")
    assert told["clean_n"] == 10_000
    assert told["weights_id"] == environment.served().weights_id
    _, out, _ = retrain("status", "--json")
    assert json.loads(out)["round"] == 2
    assert json.loads(out)["rounds"][0]["weights_id"] == told["weights_id"]
    round0 = environment.promotions()[0].weights_id
    assert retrain("rollback", round0)[0] == 0
    assert environment.served().weights_id == round0


def test_a_failure_is_forgotten_when_somebody_elses_retraining_succeeds(environment, home, monkeypatch, tmp_path):
    add_fooling(environment, 3)
    worker = Worker(home, os.environ | {"HOODWINK_THRESHOLD": "many"})
    worker.start(now=False)
    until(lambda: not worker.is_running())
    assert worker.state().state == "failed"
    WorkerFiles(home).write(WorkerState())  # as a retraining started in a terminal does at its end
    assert worker.state() == WorkerState()


@pytest.fixture
def worker(environment, home):
    """Ended with the test, whatever became of it: a retraining left behind slows all that come after."""
    worker = Worker(home, os.environ)
    yield worker
    if worker._process is not None:
        worker._process.kill()
        worker._process.wait()


def test_a_killed_worker_loses_nothing(environment, worker):
    add_fooling(environment, 3)
    assert worker.start(now=False)
    assert worker.is_running()
    assert not worker.start(now=False)
    until(lambda: worker.files.read().stage == "scoring")
    worker._process.kill()
    worker._process.wait()
    assert worker.state().state == worker.state().state == "failed"
    assert worker.state().message
    assert not worker.is_running()
    assert (environment.closed_rounds(), environment.open_round().ready) == ([], 3)


def test_a_worker_ended_by_a_signal_says_so(environment, worker):
    add_fooling(environment, 3)
    worker.start(now=False)
    until(lambda: worker.files.read().stage == "fine-tuning")
    os.kill(worker._process.pid, signal.SIGTERM)
    worker._process.wait()
    assert worker.state() == WorkerState("failed", round=1, message="the retraining was stopped")


def test_a_worker_without_mnist_says_what_to_set(environment, home, monkeypatch, tmp_path):
    monkeypatch.setenv("HOODWINK_MNIST_DIR", str(tmp_path))
    add_fooling(environment, 3)
    worker = Worker(home, os.environ)
    worker.start(now=False)
    until(lambda: not worker.is_running())
    assert worker.state().state == "failed"
    assert "set HOODWINK_MNIST_DIR" in worker.state().message
    assert environment.open_round().ready == 3


def test_a_worker_that_cannot_even_start_says_why(home, ledger, monkeypatch):
    monkeypatch.setenv("HOODWINK_THRESHOLD", "many")
    worker = Worker(home, os.environ)
    worker.start(now=True)
    until(lambda: not worker.is_running())
    assert "HOODWINK_THRESHOLD is 'many'" in worker.state().message


def test_a_worker_that_finds_another_at_work_is_no_failure(environment, home):
    add_fooling(environment, 3)
    worker = Worker(home, os.environ)
    files = WorkerFiles(home)
    with files.held():
        files.write(WorkerState("running", "fine-tuning", 0.5, 1))
        code, _, errors = retrain("run")
        assert code == ALREADY_RUNNING
        assert "a retraining is running already" in errors
        # As when two servers start theirs at the same moment.
        worker._process = subprocess.Popen([sys.executable, "-m", "retrain", "run"], cwd=REPOSITORY)
        assert worker._process.wait(60) == ALREADY_RUNNING
        files.write(WorkerState())
    assert worker.state() == WorkerState()


class Clock:
    """Shows what it is told to."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def looks(worker, clock, seconds):
    """The watcher's looks of so many seconds."""
    for _ in range(seconds):
        clock.now += 1
        worker.end_if_hung()


@pytest.fixture
def patient(home, ledger, clock):
    """A worker that may show no progress for 100 s."""
    return Worker(home, os.environ, hangs_after_seconds=100, clock=clock)


# Holds the lock as `python -m retrain run` does, shows progress once, and hangs.
HANGING = """
import sys, time
from pathlib import Path
from flagging.home import Home
from retrain.worker import WorkerFiles, WorkerState
files = WorkerFiles(Home(Path(sys.argv[2])))
with files.held():
    files.write(WorkerState("running", "fine-tuning", 0.5, 7))
    print("at work", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def hanging(home, ledger):
    process = subprocess.Popen(
        [sys.executable, "-c", HANGING, "retrain", str(home.folder)], cwd=REPOSITORY, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"at work\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_worker_of_ours_that_hangs_is_ended_and_the_next_one_can_start(patient, hanging, clock):
    patient._process = hanging
    looks(patient, clock, 100)
    assert patient.is_running()
    looks(patient, clock, 1)
    assert hanging.wait(10) == -signal.SIGTERM
    looks(patient, clock, 1)
    state = patient.state()
    assert (state.state, state.round) == ("failed", 7)
    assert "the retraining showed no progress for 100 s and was ended; no drawing is lost" in state.message
    assert not patient.is_running()
    with patient.files.held():
        pass


def test_a_hung_worker_that_cannot_hear_is_ended_without_asking(patient, hanging, clock):
    patient._process = hanging
    os.kill(hanging.pid, signal.SIGSTOP)
    looks(patient, clock, 102)
    assert hanging.poll() is None
    looks(patient, clock, 5)
    assert hanging.wait(10) == -signal.SIGKILL


def test_a_hung_worker_whose_server_is_gone_is_ended_too(patient, hanging, clock):
    os.kill(hanging.pid, signal.SIGSTOP)
    assert patient.state().state == "running"
    looks(patient, clock, 110)
    assert hanging.wait(10) == -signal.SIGKILL
    looks(patient, clock, 1)
    assert patient.state().message.startswith("the retraining showed no progress for 100 s")


def test_a_worker_that_gets_on_slowly_is_left_alone(patient, hanging, clock):
    patient._process = hanging
    for step in range(5):
        looks(patient, clock, 99)
        patient.files.write(WorkerState("running", "fine-tuning", step / 100, 7))
    assert hanging.poll() is None
    assert patient.state().state == "running"


def test_a_time_in_which_the_server_stood_still_itself_is_not_held_against_a_worker(patient, hanging, clock):
    patient._process = hanging
    looks(patient, clock, 10)
    clock.now += 3600
    looks(patient, clock, 60)
    assert hanging.poll() is None


@pytest.mark.parametrize("told", [{"started": 1}, {"pid": 1}, {"started": None}, None])
def test_a_process_that_is_not_surely_the_worker_is_not_ended(patient, hanging, home, clock, told):
    """Its number may have gone to another process since."""
    lock = home.folder / "retrain.lock"
    lock.write_text("" if told is None else json.dumps(json.loads(lock.read_text()) | told))
    looks(patient, clock, 300)
    assert hanging.poll() is None
    assert patient.is_running()


def test_a_process_that_holds_the_lock_and_is_no_retraining_is_not_ended(patient, clock):
    with WorkerFiles(patient._home).held():  # this one here
        assert patient.files.holder() is None
        looks(patient, clock, 300)


def test_what_the_next_worker_says_counts_more_than_that_the_last_one_hung(patient, hanging, clock):
    patient._process = hanging
    looks(patient, clock, 101)
    hanging.wait(10)
    with patient.files.held():
        patient.files.write(WorkerState("running", "scoring", 0.9, 8))
        looks(patient, clock, 1)
        assert patient.state().round == 8


@pytest.mark.parametrize("which", ["served", "round 0"])
def test_a_round_closes_though_weights_were_damaged(environment, home, which):
    """Nobody may be there to go back by hand: a cron job retrains too."""
    first, now = environment.served().weights_id, environment.open_round()
    weights = random_weights(home.weights, 1)
    environment.close_round("promoted", "good", weights.id, {}, began=now)
    damaged = home.weights / f"{weights.id if which == 'served' else first}.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    code, out, errors = retrain("run", "--json")
    assert code == 0, errors
    assert "0 of 3 new fooling drawings" in json.loads(out)["reason"]
    served = first if which == "served" else weights.id
    assert environment.served().weights_id == served
    assert load_weights(home.weights, served)
    assert load_weights(home.weights, first)
