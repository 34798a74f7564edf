"""What a Space is set to: variables, secrets, hardware, sleep, restarts."""

from typing import Any

from ..answers import Answer, Refused, Request
from ..hub import Hub
from ..spaces import Setting, Space
from .repositories import iso, readable, runtime, writable


def _to_change(hub: Hub, request: Request) -> Space:
    writable(hub, request)
    return hub.spaces[request.parts["id"]]


def _variables(space: Space) -> dict[str, Any]:
    return {
        key: {"value": setting.value, "description": setting.description, "updatedAt": iso(setting.updated_at)}
        for key, setting in space.variables.items()
    }


def _set(hub: Hub, request: Request, settings: dict[str, Setting]) -> None:
    asked = request.json()
    settings[asked["key"]] = Setting(asked["value"], asked.get("description"), hub.clock())


def _unset(request: Request, settings: dict[str, Setting]) -> None:
    key = request.json()["key"]
    if settings.pop(key, None) is None:
        raise Refused(404, f"{key} is not set")


def variables(hub: Hub, request: Request) -> Answer:
    readable(hub, request)
    return Answer.json(_variables(hub.spaces[request.parts["id"]]))


def set_variable(hub: Hub, request: Request) -> Answer:
    space = _to_change(hub, request)
    if request.json()["key"] in space.secrets:
        raise Refused(400, "A secret with this name exists already")
    _set(hub, request, space.variables)
    return Answer.json(_variables(space))


def delete_variable(hub: Hub, request: Request) -> Answer:
    space = _to_change(hub, request)
    _unset(request, space.variables)
    return Answer.json(_variables(space))


def secrets(hub: Hub, request: Request) -> Answer:
    space = _to_change(hub, request)
    return Answer.json(
        {
            key: {"description": setting.description, "updatedAt": iso(setting.updated_at)}
            for key, setting in space.secrets.items()
        }
    )


def set_secret(hub: Hub, request: Request) -> Answer:
    _set(hub, request, _to_change(hub, request).secrets)
    return Answer.json({})


def delete_secret(hub: Hub, request: Request) -> Answer:
    _unset(request, _to_change(hub, request).secrets)
    return Answer.json({})


def get_runtime(hub: Hub, request: Request) -> Answer:
    readable(hub, request)
    return Answer.json(runtime(hub.spaces[request.parts["id"]]))


def hardware(hub: Hub, request: Request) -> Answer:
    """Remember what was asked for; what runs stays as it is, until a test sets `hub.space(...).hardware`."""
    space, asked = _to_change(hub, request), request.json()
    space.requested_hardware = asked["flavor"]
    space.sleep_after_seconds = asked.get("sleepTimeSeconds", space.sleep_after_seconds)
    return Answer.json(runtime(space))


def sleep_time(hub: Hub, request: Request) -> Answer:
    space = _to_change(hub, request)
    space.sleep_after_seconds = request.json()["seconds"]
    return Answer.json(runtime(space))


def restart(hub: Hub, request: Request) -> Answer:
    space = _to_change(hub, request)
    space.stage = "RUNNING"
    space.restarts += 1
    space.factory_restarts += request.asks_for("factory")
    return Answer.json(runtime(space))


def pause(hub: Hub, request: Request) -> Answer:
    space = _to_change(hub, request)
    space.stage = "PAUSED"
    return Answer.json(runtime(space))
