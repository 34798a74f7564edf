"""What a Space is set to, through the real client."""

import pytest
from huggingface_hub import HfApi, SpaceHardware
from huggingface_hub.errors import HfHubHTTPError

from tests.hub_server import HubServer


@pytest.fixture
def api(hub: HubServer) -> HfApi:
    api = HfApi(endpoint=hub.url, token=hub.token)
    api.create_repo(
        "alice/app",
        repo_type="space",
        space_sdk="gradio",
        space_secrets=[{"key": "FIRST", "value": "hidden"}],
        space_variables=[{"key": "SIZE", "value": "3"}],
    )
    return api


def test_variables_are_set_read_and_deleted(hub: HubServer, api: HfApi) -> None:
    api.add_space_variable("alice/app", "NAME", "digits", description="Which")
    found = api.get_space_variables("alice/app")
    assert {key: variable.value for key, variable in found.items()} == {"SIZE": "3", "NAME": "digits"}
    assert found["NAME"].description == "Which"
    assert found["NAME"].updated_at is not None
    assert set(api.delete_space_variable("alice/app", "SIZE")) == {"NAME"}
    assert hub.space("alice/app").variables["NAME"].value == "digits"


def test_secrets_are_listed_without_their_values(hub: HubServer, api: HfApi) -> None:
    api.add_space_secret("alice/app", "TOKEN", "very secret")
    found = api.get_space_secrets("alice/app")
    assert set(found) == {"FIRST", "TOKEN"}
    assert found["TOKEN"].updated_at is not None
    assert "very secret" not in str(vars(found["TOKEN"]))
    assert hub.space("alice/app").secrets["TOKEN"].value == "very secret"
    api.delete_space_secret("alice/app", "TOKEN")
    assert set(api.get_space_secrets("alice/app")) == {"FIRST"}
    assert hub.where(b"very secret") == []


def test_hardware_is_requested_and_runs_when_the_test_says_so(hub: HubServer, api: HfApi) -> None:
    asked = api.request_space_hardware("alice/app", SpaceHardware.T4_SMALL, sleep_time=600)
    assert (asked.hardware, asked.requested_hardware, asked.sleep_time) == ("cpu-basic", "t4-small", 600)
    hub.space("alice/app").hardware = "t4-small"
    assert api.get_space_runtime("alice/app").hardware == "t4-small"
    assert api.set_space_sleep_time("alice/app", 900).sleep_time == 900


def test_a_space_is_paused_and_restarted(hub: HubServer, api: HfApi) -> None:
    assert api.pause_space("alice/app").stage == "PAUSED"
    assert api.restart_space("alice/app").stage == "RUNNING"
    api.restart_space("alice/app", factory_reboot=True)
    assert (hub.space("alice/app").restarts, hub.space("alice/app").factory_restarts) == (2, 1)


def test_information_about_a_space_holds_its_runtime(api: HfApi) -> None:
    info = api.space_info("alice/app")
    assert (info.sdk, info.host) == ("gradio", "https://alice-app.hf.space")
    assert info.runtime is not None
    assert info.runtime.stage == "RUNNING"


def test_others_cannot_read_the_secrets_of_a_space(hub: HubServer, api: HfApi) -> None:
    with pytest.raises(HfHubHTTPError) as refused:
        HfApi(endpoint=hub.url, token=hub.add_token(user="bob")).get_space_secrets("alice/app")
    assert refused.value.response.status_code == 403
