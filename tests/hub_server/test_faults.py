"""Each fault as the real client meets it."""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import HfHubHTTPError

from tests.hub_server import HubServer


@pytest.fixture
def api(hub: HubServer) -> HfApi:
    hub.create("alice/digits")
    return HfApi(endpoint=hub.url, token=hub.token)


def add(api: HfApi, name: str = "a.txt", content: bytes = b"x", parent: str | None = None) -> None:
    operations = [CommitOperationAdd(name, content)]
    api.create_commit("alice/digits", operations, commit_message="Add", repo_type="dataset", parent_commit=parent)


def test_a_busy_hub_is_asked_again_before_the_commit(hub: HubServer, api: HfApi) -> None:
    fault = hub.fail("preupload", "429", retry_after=0)  # the client adds a second of its own
    add(api)
    assert fault.fired == 1
    assert [seen.status for seen in hub.requests] == [429, 200, 200]


@pytest.mark.parametrize("kind", ["429", "500", "503"])
def test_a_refused_commit_is_not_tried_again_by_the_client(hub: HubServer, api: HfApi, kind: str) -> None:
    hub.fail("commit", kind, retry_after=7, message="Come back later")
    with pytest.raises(HfHubHTTPError, match="Come back later") as refused:
        add(api)
    assert refused.value.response.status_code == int(kind)
    assert refused.value.response.headers["Retry-After"] == "7"
    assert len(hub.commits("alice/digits")) == 1
    add(api)
    assert len(hub.commits("alice/digits")) == 2


def test_a_lost_answer_leaves_a_real_commit(hub: HubServer, api: HfApi) -> None:
    hub.fail("commit", "lost answer")
    with pytest.raises(httpx2.RemoteProtocolError):
        add(api)
    assert hub.files("alice/digits")["a.txt"] == b"x"
    assert hub.requests[-1].status is None


def test_a_cut_commit_leaves_nothing(hub: HubServer, api: HfApi) -> None:
    hub.fail("commit", "cut")
    with pytest.raises(httpx2.TransportError):
        add(api, content=b"x" * 100_000)
    assert len(hub.commits("alice/digits")) == 1
    assert 0 < hub.requests[-1].received < 150_000


def test_a_cut_upload_is_begun_again_by_the_client(hub: HubServer, api: HfApi) -> None:
    hub.fail("lfs-upload", "cut", after_bytes=1000)
    content = os.urandom(200_000)
    add(api, "a.bin", content)
    assert [seen.received for seen in hub.requests if seen.stage == "lfs-upload"] == [1000, 200_000]
    assert hub.files("alice/digits")["a.bin"] == content


def test_a_cut_download_is_begun_again_by_the_client(hub: HubServer, api: HfApi) -> None:
    content = os.urandom(300_000)  # the client writes 10 MB at a time and goes on after the last it has written
    hub.commit("alice/digits", {"a.bin": content})
    hub.fail("GET /datasets/alice/digits/resolve", "cut", after_bytes=100_000)
    path = api.hf_hub_download("alice/digits", "a.bin", repo_type="dataset")
    assert Path(path).read_bytes() == content
    assert [seen.status for seen in hub.requests] == [200, None, 200]


def test_a_slow_answer_can_be_waited_for_or_given_up(hub: HubServer, api: HfApi) -> None:
    hub.fail("info", "slow", seconds=0.2, times=2)
    with pytest.raises(httpx2.ReadTimeout):
        api.dataset_info("alice/digits", timeout=0.05)
    assert api.dataset_info("alice/digits", timeout=5).id == "alice/digits"


def test_a_slow_commit_is_carried_out_although_nobody_waits_for_it(hub: HubServer, api: HfApi) -> None:
    hub.fail("create_repo", "slow", seconds=0.2, late=True)
    with pytest.raises(httpx2.ReadTimeout):
        httpx2.post(
            f"{hub.url}/api/repos/create",
            json={"name": "late", "type": "dataset"},
            headers={"Authorization": f"Bearer {hub.token}"},
            timeout=0.1,
        )
    assert hub.commits("alice/late")


def test_a_conflict_can_bring_a_commit_of_somebody_else(hub: HubServer, api: HfApi) -> None:
    hub.fail("commit", "conflict", call=lambda: hub.commit("alice/digits", {"b.txt": b"b"}, author="bob"))
    with pytest.raises(HfHubHTTPError, match="A commit has happened since") as refused:
        add(api)
    assert refused.value.response.status_code == 412
    assert [commit.author for commit in hub.commits("alice/digits")] == ["alice", "bob"]


def test_something_can_happen_meanwhile(hub: HubServer, api: HfApi) -> None:
    parent = hub.commits("alice/digits")[-1].id
    hub.fail("commit", "meanwhile", call=lambda: hub.commit("alice/digits", {"b.txt": b"b"}))
    with pytest.raises(HfHubHTTPError) as refused:
        add(api, parent=parent)
    assert refused.value.response.status_code == 412


def test_refused_connections_and_a_hub_that_is_away(hub: HubServer, api: HfApi) -> None:
    hub.fail("info", "refuse")
    with pytest.raises(httpx2.RemoteProtocolError):
        api.dataset_info("alice/digits")
    hub.offline = True
    with pytest.raises(httpx2.RemoteProtocolError):
        api.whoami()
    hub.offline = False
    assert api.whoami()["name"] == "alice"
    assert [seen.status for seen in hub.requests] == [None, None, 200]


def test_only_a_hub_that_is_unreachable_makes_the_client_use_its_cache(hub: HubServer, api: HfApi) -> None:
    def download() -> str:
        return str(api.hf_hub_download("alice/digits", ".gitattributes", repo_type="dataset"))

    path = download()
    hub.offline = True
    with pytest.raises(httpx2.RemoteProtocolError):
        download()
    hub.offline, hub.unreachable = False, True
    assert download() == path
    with pytest.raises(httpx2.ConnectError):
        api.whoami()
    hub.unreachable = False
    assert api.whoami()["name"] == "alice"


def test_a_refused_download_is_answered_from_the_cache_even_if_that_is_old(hub: HubServer, api: HfApi) -> None:
    hub.commit("alice/digits", {"a.txt": b"old"})
    api.hf_hub_download("alice/digits", "a.txt", repo_type="dataset")
    hub.commit("alice/digits", {"a.txt": b"new"})
    hub.fail("resolve", "500")
    contents = [Path(api.hf_hub_download("alice/digits", "a.txt", repo_type="dataset")).read_bytes() for _ in range(2)]
    assert contents == [b"old", b"new"]


def test_faults_wait_for_their_turn_and_match_paths(hub: HubServer, api: HfApi) -> None:
    fault = hub.fail(r"POST .*/commit/main$", "503", times=2, after=1)
    add(api, "a.txt")
    for _ in range(2):
        with pytest.raises(HfHubHTTPError):
            add(api, "b.txt")
    add(api, "b.txt")
    assert (fault.seen, fault.fired) == (4, 2)


def test_a_stage_is_not_mistaken_for_a_part_of_another_path(hub: HubServer, api: HfApi) -> None:
    fault = hub.fail("commit", "500")
    api.list_repo_commits("alice/digits", repo_type="dataset")
    assert fault.seen == 0


@pytest.mark.parametrize(
    ("stage", "call"),
    [
        ("whoami", lambda api: api.whoami()),
        ("create_repo", lambda api: api.create_repo("alice/more", repo_type="dataset")),
        ("info", lambda api: api.dataset_info("alice/digits")),
        ("tag", lambda api: api.create_tag("alice/digits", tag="v1", repo_type="dataset")),
        ("squash", lambda api: api.super_squash_history("alice/digits", repo_type="dataset")),
        ("resolve", lambda api: api.get_hf_file_metadata(url=f"{api.endpoint}/datasets/alice/digits/resolve/main/a")),
    ],
)
def test_a_stage_that_fails_once_is_not_tried_again_by_the_client(
    hub: HubServer, api: HfApi, stage: str, call: Callable[[HfApi], object]
) -> None:
    hub.fail(stage, "503")
    with pytest.raises(HfHubHTTPError) as refused:
        call(api)
    assert refused.value.response.status_code == 503
    assert hub.count(stage) == 1


def test_a_wrong_kind_or_stage_is_refused(hub: HubServer) -> None:
    with pytest.raises(ValueError, match="kind is 'no such kind'"):
        hub.fail("commit", "no such kind")
    with pytest.raises(ValueError, match="'comit' is no stage"):
        hub.fail("comit", "500")


def test_too_many_commits_in_an_hour_are_refused_until_it_is_over() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    with HubServer(clock=lambda: now) as hub:
        api = HfApi(endpoint=hub.url, token=hub.token)
        hub.create("alice/digits")
        hub.commits_per_hour = 2
        add(api, "a.txt")
        now += timedelta(minutes=10)
        add(api, "b.txt")
        with pytest.raises(HfHubHTTPError, match="hourly quotas for action: commit") as refused:
            add(api, "c.txt")
        assert refused.value.response.headers["Retry-After"] == "3000"
        now += timedelta(minutes=51)
        add(api, "c.txt")
    assert len(hub.commits("alice/digits")) == 4


def test_too_many_requests_in_five_minutes_are_refused_with_the_time_to_wait(hub: HubServer, api: HfApi) -> None:
    hub.requests_per_5_minutes = 2
    api.whoami()
    api.whoami()
    with pytest.raises(HfHubHTTPError, match="rate limit") as refused:
        api.dataset_info("alice/digits")
    assert refused.value.response.status_code == 429


def test_many_commits_at_once_are_all_taken(hub: HubServer, api: HfApi) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: add(api, f"{number}.txt"), range(40)))
    history = hub.commits("alice/digits")
    assert len(history) == 41
    assert [commit.parent for commit in history[1:]] == [commit.id for commit in history[:-1]]
    assert len(hub.files("alice/digits")) == 41


def test_a_client_that_is_killed_leaves_the_server_running(hub: HubServer, api: HfApi) -> None:
    child: subprocess.Popen[bytes] | None = None

    def kill() -> None:
        assert child is not None
        child.kill()
        child.wait()

    fault = hub.fail("lfs-verify", "meanwhile", call=kill)
    program = (
        "from huggingface_hub import HfApi\n"
        "HfApi().upload_file(path_or_fileobj=b'drawing', path_in_repo='a.bin', repo_id='alice/digits', "
        "repo_type='dataset')"
    )
    child = subprocess.Popen([sys.executable, "-c", program], env=os.environ | hub.environment)
    child.wait(60)
    assert (fault.fired, child.returncode) == (1, -9)
    assert len(hub.commits("alice/digits")) == 1
    assert len(hub.where(b"drawing")) == 1  # uploaded, in no commit
    add(api)
