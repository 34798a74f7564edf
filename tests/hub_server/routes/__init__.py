"""The paths of the Hub that this server answers, each with the name of its stage for faults and counts."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import unquote

from ..answers import Answer, Refused, Request
from ..faults import STAGES
from ..hub import Hub
from . import commits, files, large_files, repositories, revisions, sign_in, spaces

Carry = Callable[[Hub, Request], Answer]

_REPO = r"/api/(?P<kind>models|datasets|spaces)/(?P<id>[^/]+/[^/]+)"
_SPACE = r"/api/(?P<kind>spaces)/(?P<id>[^/]+/[^/]+)"
_WEB = r"/(?:(?P<kind>datasets|spaces)/)?(?P<id>[^/]+/[^/]+?)"
_STORE = r"/lfs-storage/(?P<type>model|dataset|space)/(?P<id>[^/]+/[^/]+)/(?P<oid>[0-9a-f]{64})"
_AT = r"/(?P<revision>[^/]+)"

# stage, method, path, what answers it
_TABLE: list[tuple[str, str, str, Carry]] = [
    ("whoami", "GET", "/api/whoami-v2", repositories.whoami),
    ("create_repo", "POST", "/api/repos/create", repositories.create),
    ("delete_repo", "DELETE", "/api/repos/delete", repositories.delete),
    ("validate-yaml", "POST", "/api/validate-yaml", repositories.validate_yaml),
    ("list", "GET", "/api/(?P<kind>models|datasets|spaces)", repositories.listing),
    ("info", "GET", _REPO, repositories.info),
    ("info", "GET", _REPO + "/revision" + _AT, repositories.info),
    ("settings", "PUT", _REPO + "/settings", repositories.settings),
    ("auth-check", "GET", _REPO + "/auth-check", repositories.auth_check),
    ("auth-check", "GET", _REPO + "/auth-check/write", repositories.auth_check_write),
    ("refs", "GET", _REPO + "/refs", revisions.refs),
    ("commits", "GET", _REPO + "/commits" + _AT, revisions.commits),
    ("squash", "POST", _REPO + "/super-squash" + _AT, revisions.squash),
    ("branch", "POST", _REPO + "/branch/(?P<branch>[^/]+)", revisions.create_branch),
    ("branch", "DELETE", _REPO + "/branch/(?P<branch>[^/]+)", revisions.delete_branch),
    ("tag", "POST", _REPO + "/tag" + _AT, revisions.create_tag),
    ("tag", "DELETE", _REPO + "/tag" + _AT, revisions.delete_tag),
    ("tree", "GET", _REPO + "/tree" + _AT + "(?:/(?P<path>.+))?", files.tree),
    ("paths-info", "POST", _REPO + "/paths-info" + _AT, files.paths_info),
    ("preupload", "POST", _REPO + "/preupload" + _AT, commits.preupload),
    ("commit", "POST", _REPO + "/commit" + _AT, commits.commit),
    ("resolve", "GET", _WEB + "/resolve" + _AT + "/(?P<path>.+)", files.resolve),
    ("lfs-batch", "POST", _WEB + r"\.git/info/lfs/objects/batch", large_files.batch),
    ("lfs-verify", "POST", _WEB + r"\.git/info/lfs/objects/verify", large_files.verify),
    ("lfs-upload", "PUT", _STORE, large_files.upload),
    ("lfs-upload", "PUT", _STORE + r"/(?P<number>\d+)", large_files.upload_part),
    ("lfs-complete", "POST", _STORE + "/complete", large_files.complete),
    ("lfs-download", "GET", _STORE, large_files.download),
    ("lfs-list", "GET", _REPO + "/lfs-files", large_files.listing),
    ("lfs-delete", "POST", _REPO + "/lfs-files/batch", large_files.delete),
    ("variables", "GET", _SPACE + "/variables", spaces.variables),
    ("variables", "POST", _SPACE + "/variables", spaces.set_variable),
    ("variables", "DELETE", _SPACE + "/variables", spaces.delete_variable),
    ("secrets", "GET", _SPACE + "/secrets", spaces.secrets),
    ("secrets", "POST", _SPACE + "/secrets", spaces.set_secret),
    ("secrets", "DELETE", _SPACE + "/secrets", spaces.delete_secret),
    ("runtime", "GET", _SPACE + "/runtime", spaces.get_runtime),
    ("hardware", "POST", _SPACE + "/hardware", spaces.hardware),
    ("sleep-time", "POST", _SPACE + "/sleeptime", spaces.sleep_time),
    ("restart", "POST", _SPACE + "/restart", spaces.restart),
    ("pause", "POST", _SPACE + "/pause", spaces.pause),
    ("sign-in", "GET", r"/\.well-known/openid-configuration", sign_in.configuration),
    ("sign-in", "GET", "/oauth/authorize", sign_in.authorize),
    ("sign-in", "POST", "/oauth/token", sign_in.token),
    ("sign-in", "GET", "/oauth/userinfo", sign_in.userinfo),
    ("sign-in", "GET", "/oauth/jwks", sign_in.keys),
]


@dataclass(frozen=True)
class Route:
    stage: str
    method: str
    path: re.Pattern[str]
    carry: Carry


ROUTES = [Route(stage, method, re.compile(path), carry) for stage, method, path, carry in _TABLE]


def _unknown(hub: Hub, request: Request) -> Answer:
    raise Refused(404, f"{request.method} {request.path} is not a path this server knows")


UNKNOWN = Route("unknown", "", re.compile(""), _unknown)

assert {route.stage for route in [*ROUTES, UNKNOWN]} == STAGES


def route_for(request: Request) -> tuple[Route, Request]:
    """The route of a request, and the request with the parts of its path; HEAD goes where GET goes."""
    method = "GET" if request.method == "HEAD" else request.method
    for route in ROUTES:
        if route.method == method and (found := route.path.fullmatch(request.path)):
            parts = {name: unquote(part) for name, part in found.groupdict().items() if part is not None}
            return route, replace(request, parts=parts)
    return UNKNOWN, request
