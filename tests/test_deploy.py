"""deploy.py against a Hub: what it makes, what it leaves alone, what it refuses, and that what lies there starts."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys

import pytest
import yaml  # type: ignore[import-untyped]
from gradio_client import Client
from huggingface_hub import constants
from typer.testing import CliRunner

import deploy
from benchmarks.server import REPOSITORY, free_port, wait_until_it_answers
from space.files import space_files, space_requirements
from tests.hub_server import HubServer
from tests.made import PLAIN

SPACE, DATASET, MODEL = "alice/hoodwink", "alice/hoodwink-drawings", "alice/hoodwink-weights"
KEY = "HOODWINK_ANNOTATOR_KEY"
SETTINGS = ("THRESHOLD", "QUORUM", "LIVE", "AUTO_RETRAIN", "MAINTAINERS", "MAINTAINER_TOKEN")


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A small Hoodwink to deploy, without git."""
    root = tmp_path / "checkout"
    contents = {
        "README.md": "---\ntitle: Hoodwink\nsdk: gradio\n---\n![page](docs/page.png)",
        "app.py": " ".join(f"HOODWINK_{name}" for name in SETTINGS),
        "requirements.txt": "torch==2.13.0\ntorchvision==0.28.0\ngradio==6.31.0\n",
        "flagging/ledger.py": "rows",
        "model/weights.safetensors": "weights",
        "docs/page.png": "a picture",
        "docs/log.md": "not shown",
        "tests/test_app.py": "not sent",
        "data/ledger.sqlite": "not sent either",
        ".env": "nor this",
    }
    for name, text in contents.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    monkeypatch.setattr(deploy, "ROOT", root)
    return root


@pytest.fixture
def run(hub, tmp_path, monkeypatch):
    """Runs the command as alice; the secrets that it knows never show."""
    for name in [name for name in os.environ if name.startswith("HOODWINK_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOODWINK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_TOKEN", hub.token)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "nobody is logged in"))

    def run(*words: str, code: int = 0, answer: str | None = None, **environment: str) -> str:
        done = CliRunner().invoke(deploy.app, [SPACE, *words], input=answer, env=environment)
        assert done.exit_code == code, done.output
        found = hub.space(SPACE).secrets.values() if SPACE in hub.spaces else ()
        hidden = [secret.value for secret in found] + [token for token in hub.people.tokens if len(token) > 8]
        assert not any(secret in done.output for secret in hidden)
        assert "Traceback" not in done.output
        return done.output

    return run


def token_for_both(hub: HubServer, *more: dict) -> str:
    both = [("dataset", DATASET), ("model", MODEL)]
    scopes = [
        {"entity": {"type": kind, "name": name}, "permissions": ["repo.content.read", "repo.write"]}
        for kind, name in both
    ]
    return hub.add_token(user="alice", role="fineGrained", scopes=[*scopes, *more])


@pytest.fixture
def token(hub):
    return token_for_both(hub)


@pytest.fixture
def deployed(checkout, run, token):
    run("--yes", "--space-token", token)


def writes(hub: HubServer) -> list[str]:
    return [f"{seen.method} {seen.path}" for seen in hub.requests if seen.method not in ("GET", "HEAD")]


def values(settings) -> dict[str, str]:
    return {name: setting.value for name, setting in settings.items()}


def test_a_fresh_deployment_has_all_a_first_start_needs(hub, checkout, run, token):
    said = run("--yes", "--space-token", token, "--maintainer", "bea", "--maintainer", "cy")
    space = hub.space(SPACE)
    assert values(space.variables) == {
        "HOODWINK_HUB_DATASET": DATASET,
        "HOODWINK_HUB_MODEL": MODEL,
        "HOODWINK_QUORUM": "2",
        "HOODWINK_MAINTAINERS": "bea,cy",
    }
    assert set(space.secrets) == {"HF_TOKEN", KEY}
    assert space.secrets["HF_TOKEN"].value == token
    assert re.fullmatch(r"[0-9a-f]{64}", space.secrets[KEY].value)
    assert {("dataset", DATASET), ("model", MODEL), ("space", SPACE)} == set(hub.repositories)
    assert f"{hub.url}/spaces/{SPACE}" in said
    code = [seen.stage for seen in hub.requests].index("commit")
    assert not {seen.stage for seen in hub.requests[code:]} & {"variables", "secrets", "create_repo"}
    assert len(hub.commits(SPACE, "space")) == 2  # the first one is the Hub's


def test_the_space_gets_what_it_needs_and_the_readme_shows(hub, deployed):
    assert set(hub.files(SPACE, "space")) - {".gitattributes"} == {
        "README.md",
        "app.py",
        "requirements.txt",
        "flagging/ledger.py",
        "model/weights.safetensors",
        "docs/page.png",
    }


def test_what_git_does_not_track_is_not_sent_but_told(hub, checkout, run, token):
    git = shutil.which("git") or pytest.skip("there is no git")
    for words in ("init -q", "add README.md app.py requirements.txt flagging tests"):
        subprocess.run([git, *words.split()], cwd=checkout, check=True)
    assert "model/weights.safetensors" in run("--yes", "--space-token", token).split("not in git and are not sent")[1]
    sent = set(hub.files(SPACE, "space"))
    assert sent == {".gitattributes", "README.md", "app.py", "requirements.txt", "flagging/ledger.py"}


def test_a_second_run_does_nothing(hub, deployed, run, token):
    before, commits = len(writes(hub)), len(hub.commits(SPACE, "space"))
    assert "Nothing to do" in run()
    assert "Nothing to do" in run("--yes", "--space-token", token)
    assert len(writes(hub)) == before
    assert len(hub.commits(SPACE, "space")) == commits


def test_only_what_changed_is_sent_and_what_is_gone_is_deleted(hub, checkout, deployed, run):
    (checkout / "app.py").write_text("new")
    (checkout / "docs/page.png").unlink()
    said = run("--yes")
    assert "1 files to send, 3 bytes, 4 unchanged, 1 to delete: docs/page.png" in said
    assert "docs/page.png" not in hub.files(SPACE, "space")
    assert hub.files(SPACE, "space")["app.py"] == b"new"
    assert hub.commits(SPACE, "space")[-1].overwritten == ("app.py",)


def test_a_dry_run_writes_nothing(hub, checkout, run, token, tmp_path):
    said = run("--dry-run")
    assert "create, public" in said
    assert "nothing was written" in said
    assert not writes(hub)
    assert not hub.repositories
    assert not (tmp_path / "home").exists()


def test_without_a_yes_nothing_is_written(hub, checkout, run, token):
    assert "nothing was written" in run("--space-token", token, code=1, answer="n\n")
    assert not writes(hub)


def test_an_annotator_key_is_never_overwritten(hub, deployed, run):
    before = hub.space(SPACE).secrets[KEY]
    said = run("--yes", "--set", "HOODWINK_LIVE=0", **{KEY: "another key of somebody"})
    assert "keeps it" in said
    assert "another key" not in said
    assert hub.space(SPACE).secrets[KEY] == before


def test_a_space_that_is_made_again_gets_the_key_of_its_dataset_again(hub, deployed, run, token):
    key = hub.space(SPACE).secrets[KEY].value
    del hub.spaces[SPACE], hub.repositories["space", SPACE]
    run("--yes", "--space-token", token)
    assert hub.space(SPACE).secrets[KEY].value == key


def test_where_drawings_are_the_key_they_were_collected_with_is_needed(hub, checkout, run):
    hub.create(DATASET, files={"raw/attempts/1.parquet": b"rows"})
    hub.create(MODEL, "model")
    token = token_for_both(hub)
    said = run("--yes", "--space-token", token, code=1)
    assert "holds drawings already" in said
    assert KEY in said
    assert not writes(hub)
    said = run("--yes", "--space-token", token, **{KEY: "the key of the first Space"})
    assert "use --collect-only" in said
    assert hub.space(SPACE).secrets[KEY].value == "the key of the first Space"


def test_a_space_that_only_collects_never_retrains(hub, checkout, run, token):
    run("--yes", "--space-token", token, "--collect-only", "--dataset", "alice/shared", code=1)  # not for this one
    run("--yes", "--space-token", token, "--collect-only")
    assert hub.space(SPACE).variables["HOODWINK_AUTO_RETRAIN"].value == "0"


def test_a_changed_variable_is_shown_as_old_and_new_and_what_was_set_stays(hub, deployed, run):
    hub.space(SPACE).variables["MINE"] = hub.space(SPACE).variables["HOODWINK_QUORUM"]
    assert "2 -> 3" in run("--yes", "--set", "HOODWINK_QUORUM=3")
    assert "Nothing to do" in run("--yes")
    assert values(hub.space(SPACE).variables)["HOODWINK_QUORUM"] == "3"
    assert "MINE" in hub.space(SPACE).variables


def test_the_names_given_once_are_kept(hub, checkout, run):
    hub.create("alice/rows", files={})
    hub.create(MODEL, "model")
    token = hub.add_token(user="alice")
    run("--yes", "--space-token", token, "--dataset", "alice/rows")
    assert "Nothing to do" in run()
    assert ("dataset", DATASET) not in hub.repositories


# -- the Space's token


def test_a_token_that_can_do_all_that_its_owner_can_is_warned_about(hub, checkout, run):
    said = run("--dry-run", "--space-token", hub.token)
    assert "the Space's token can do more than it must: everything that alice can" in said


def test_a_token_that_reaches_other_repositories_is_warned_about_by_name(hub, checkout, run, token):
    other = {"entity": {"type": "model", "name": "alice/other"}, "permissions": ["repo.write"]}
    assert "repo.write on model alice/other" in run("--dry-run", "--space-token", token_for_both(hub, other))
    assert "can do more" not in run("--dry-run", "--space-token", token)


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("role", ["read", "one of the two", "nobody's"])
def test_a_token_that_cannot_write_both_is_refused_before_anything_is_written(hub, checkout, run, there, role):
    if there:
        hub.create(DATASET)
        hub.create(MODEL, "model")
    given = {
        "read": lambda: hub.add_token(user="alice", role="read"),
        "one of the two": lambda: hub.add_token_for(DATASET),
        "nobody's": lambda: "hf_mistyped_token_of_nobody",
    }[role]()
    said = run("--yes", "--space-token", given, code=1)
    assert "the Space's token" in said
    assert "hf_mistyped" not in said
    assert not writes(hub)


def test_a_token_that_is_missing_is_asked_for_once_its_repositories_are_there(hub, checkout, run, token, monkeypatch):
    monkeypatch.setattr(deploy, "somebody_is_there", lambda: True)
    said = run("--yes", answer=f"hf_mistyped\n{token}\n")
    assert "settings/tokens/new?tokenType=fineGrained" in said
    assert DATASET in said
    assert "does not know this token" in said
    assert "hf_mistyped" not in said.replace("hf_mistyped_", "")
    assert hub.space(SPACE).secrets["HF_TOKEN"].value == token


def test_with_nobody_to_ask_a_missing_token_is_an_error_that_says_how_to_make_it(hub, checkout, run):
    assert "settings/tokens/new?tokenType=fineGrained" in run("--yes", code=1)
    assert not writes(hub)


# -- what goes wrong


@pytest.mark.parametrize("stage", ["create_repo", "secrets", "variables", "commit"])
@pytest.mark.parametrize("kind", ["500", "lost answer"])
def test_broken_off_in_the_middle_it_is_completed_by_running_it_again(hub, checkout, run, token, stage, kind):
    path = {"create_repo": "POST /api/repos/create", "commit": "POST .*/commit/main"}.get(stage, f"POST .*/{stage}")
    hub.fail(path, kind, after=1 if stage in ("secrets", "variables") else 0)
    said = run("--yes", "--space-token", token, code=1)
    assert "steps are done, run it again" in said
    key = hub.space(SPACE).secrets.get(KEY) if SPACE in hub.spaces else None
    run("--yes", "--space-token", token)
    assert set(hub.space(SPACE).secrets) == {"HF_TOKEN", KEY}
    assert key is None or hub.space(SPACE).secrets[KEY] == key
    assert len(hub.space(SPACE).variables) == 3
    assert "app.py" in hub.files(SPACE, "space")
    assert "Nothing to do" in run()


def test_what_somebody_else_commits_meanwhile_is_not_written_over(hub, checkout, deployed, run):
    (checkout / "app.py").write_text("new")
    theirs = {"app.py": b"theirs"}
    hub.fail("POST .*/commit/main", "meanwhile", call=lambda: hub.commit(SPACE, theirs, repo_type="space"))
    assert "run it again" in run("--yes", code=1)
    assert hub.files(SPACE, "space")["app.py"] == b"theirs"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--set", "HOODWINK_TYPO=1"], "there is no setting HOODWINK_TYPO"),
        (["--set", "HOODWINK_QUORUM=many"], "HOODWINK_QUORUM is 'many'"),
        (["--set", "HOODWINK_QUORUM"], "write NAME=VALUE"),
        (["--set", f"{KEY}=abc"], "--annotator-key"),
        (["--set", "HOODWINK_MAINTAINER_TOKEN=abc"], "it is a secret"),
        (["--collect-only", "--set", "HOODWINK_AUTO_RETRAIN=1"], "contradict each other"),
        (["--annotator-key", "short"], "has 5 characters"),
        (["--hardware", "zero-a10g"], "ZeroGPU"),
        (["--dataset", "drawings"], "write it as USER/NAME"),
        (["--dataset", "bea/drawings"], "cannot make it"),
        (["--json"], "add --yes or --dry-run"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(hub, checkout, run, token, words, says):
    assert says in run(*words, "--space-token", token, code=1).replace("\n", " ")
    assert not writes(hub)


def test_hardware_is_one_of_the_hubs(hub, checkout, run):
    assert "cpu-basic" in run("--hardware", "abacus", code=2)


def test_a_space_that_is_something_else_is_left_alone(hub, checkout, run, token):
    hub.create(SPACE, "space", files={"main.py": b"another app"})
    assert "holds something else" in run("--yes", "--space-token", token, code=1)


def test_who_is_not_logged_in_is_told_how(hub, checkout, run):
    assert "hf auth login" in run(code=1, HF_TOKEN="")
    assert "hf auth login" in run(code=1, HF_TOKEN="hf_expired")


def test_a_hub_that_cannot_be_reached_is_said_so(hub, checkout, run):
    hub.offline = True
    assert "could not be reached" in run(code=1)


def test_a_space_of_somebody_else_is_refused(hub, deployed, run):
    hub.add_token("hf_the_token_of_bea", user="bea")
    assert "bea cannot write space" in run(code=1, HF_TOKEN="hf_the_token_of_bea")


def test_json_tells_the_plan_and_how_it_ended(hub, checkout, run, token):
    done = CliRunner().invoke(deploy.app, [SPACE, "--yes", "--json", "--space-token", token])
    said = json.loads(done.stdout)
    assert (said["state"], said["dataset"], said["warnings"]) == ("done", DATASET, [])
    assert {"what": "variable", "name": "HOODWINK_QUORUM", "action": "2", "to_do": True} in said["steps"]
    said = json.loads(CliRunner().invoke(deploy.app, [SPACE, "--dry-run", "--json"]).stdout)
    assert said["state"] == "nothing to do"


# -- what it consists of


def test_a_space_without_a_gpu_installs_pytorchs_cpu_builds():
    ours = (REPOSITORY / "requirements.txt").read_text()
    cpu = space_requirements(ours, "cpu-basic").splitlines()
    assert cpu[0] == "--extra-index-url https://download.pytorch.org/whl/cpu"
    assert {"torch==2.13.0+cpu", "torchvision==0.28.0+cpu"} <= set(cpu)
    assert [line.replace("+cpu", "") for line in cpu[1:]] == ours.splitlines()
    assert space_requirements(ours, "t4-small") == ours


def test_other_hardware_brings_other_requirements(hub, deployed, run):
    assert b"+cpu" in hub.files(SPACE, "space")["requirements.txt"]
    assert "cpu-basic -> t4-small" in run("--yes", "--hardware", "t4-small")
    assert b"+cpu" not in hub.files(SPACE, "space")["requirements.txt"]
    assert hub.space(SPACE).requested_hardware == "t4-small"
    assert "Nothing to do" in run()


def test_the_readme_makes_the_repository_a_space():
    card = yaml.safe_load((REPOSITORY / "README.md").read_text(encoding="utf-8").split("---")[1])
    assert f"gradio[oauth]=={card['sdk_version']}" in (REPOSITORY / "requirements.txt").read_text().splitlines()
    assert card["sdk"] == "gradio"
    assert card["hf_oauth"] is True
    assert (REPOSITORY / card["app_file"]).exists()
    assert isinstance(card["python_version"], str)
    assert card["license"] == "mit"
    assert len(card["short_description"]) <= 60


def test_everything_that_is_sent_is_in_git_and_no_test_is_among_it():
    files = space_files(REPOSITORY, "cpu-basic")
    assert {"app.py", "README.md", "docs/page.png", "docs/tries.png", "CHANGELOG.md"} <= set(files)
    assert not [name for name in files if name.startswith(("tests/", "benchmarks/", "data/", ".ci/", ".venv/"))]


def test_what_lies_on_the_space_starts_and_publishes(hub, run, token, tmp_path):
    run("--yes", "--space-token", token)
    folder, port = tmp_path / "space", free_port()
    for name, content in hub.files(SPACE, "space").items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    space = hub.space(SPACE)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HOODWINK_", "GRADIO_", "HF_"))}
    environment = kept | hub.environment_of(None) | hub.sign_in_environment(port, SPACE)
    environment |= values(space.variables) | values(space.secrets)
    environment |= {"GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": str(port)}
    log = tmp_path / "log"
    with log.open("wb") as out:
        app = subprocess.Popen([sys.executable, "app.py"], cwd=folder, env=environment, stdout=out, stderr=out)
        try:
            wait_until_it_answers(f"http://127.0.0.1:{port}/", app)
            client = Client(f"http://127.0.0.1:{port}/", verbose=False)
            seen = client.predict(PLAIN[1], api_name="/predict")["prediction"]
            client.predict(PLAIN[1], (seen + 1) % 10, api_name="/submit")
            app.send_signal(signal.SIGTERM)
            app.wait(40)
        except BaseException:
            app.kill()
            app.wait()
            raise AssertionError(log.read_text()[-3000:]) from None
    assert [name for name in hub.files(DATASET) if name.startswith("raw/attempts")], log.read_text()
    assert "README.md" in hub.files(DATASET)
    assert hub.files(MODEL, "model")
