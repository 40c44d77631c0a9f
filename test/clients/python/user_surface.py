"""The user surface of the public API, called as its Python client does: httpx, pydantic, X-API-Key.

It logs in by a code, which it prints for somebody to confirm, makes itself an API key, and makes
every call with that. An answer of another shape ends it.
"""

import os
import time
from datetime import datetime
from typing import List, Optional, Union
from uuid import UUID

import httpx
from pydantic import BaseModel


class Exact(BaseModel):
    class Config:
        extra = "forbid"


class DeviceCode(BaseModel):
    id: UUID
    completed: bool
    device_code: str
    expires_at: datetime
    expires_in: int
    user_code: str
    verification_url: str
    user_id: Optional[UUID]
    group_token: Optional[str]


class Tokens(BaseModel):
    access_token: str
    refresh_token: str


class User(BaseModel):
    id: UUID
    email_address: str
    username: str
    full_name: str
    is_platform_admin: bool
    limits: dict


class APIKey(BaseModel):
    id: UUID
    key: Optional[str]
    masked_key: Optional[str]
    active: bool
    name: Optional[str]
    allowed_scopes: List[str]
    created_at: datetime
    last_used_at: Optional[datetime]


class Organization(BaseModel):
    id: UUID
    name: str
    key: str
    description: Optional[str]
    is_active: bool
    allow_external_invites: bool
    max_members: int
    created_at: datetime
    updated_at: datetime


class Secret(Exact):
    id: UUID
    name: str
    provider: Optional[str]
    masked_value: str
    created_at: datetime
    updated_at: datetime


class Secrets(Exact):
    secrets: List[Secret]
    total: int


class Preset(BaseModel):
    provider: str
    env_var_name: str
    configured: bool


class Fault(BaseModel):
    loc: List[Union[int, str]]
    msg: str
    type: str


class Problem(BaseModel):
    code: int
    detail: str
    type: str
    errors: Optional[List[Fault]]


class Client:
    def __init__(self, server, **headers):
        base = server.rstrip("/")
        if not base.endswith("/api"):
            base += "/api"
        self.http = httpx.Client(
            base_url=base + "/v1",
            headers={"User-Agent": "dreadnode-sdk/2.0.0", "Accept": "application/json", **headers},
        )

    def call(self, status, method, path, body=None):
        answer = self.http.request(method, path, json=body)
        assert answer.status_code == status, (method, path, answer.status_code, answer.text)
        if status >= 400:
            problem = Problem(**answer.json())
            assert problem.code == status, problem
            return problem
        return answer.json() if answer.content else None


def log_in(server):
    client = Client(server)
    code = DeviceCode(**client.call(200, "POST", "/auth/device/code"))
    assert not code.completed and code.user_code in code.verification_url
    seen = DeviceCode(**client.call(200, "GET", "/auth/device/code/" + code.device_code))
    assert seen.user_code == code.user_code and not seen.completed
    print(code.user_code, flush=True)
    for _ in range(60):
        answer = client.http.post("/auth/device/token", json={"device_code": code.device_code})
        if answer.status_code != 401:
            break
        assert Problem(**answer.json()).type == "authentication_error"
        time.sleep(max(2, int(answer.headers["Retry-After"])))
    assert answer.status_code == 200, answer.text
    return Tokens(**answer.json())


def make_key(server, token, organization):
    client = Client(server, Authorization="Bearer " + token)
    made = APIKey(**client.call(201, "POST", "/user/api-keys", {
        "name": "client", "allow_self_revoke": True, "allowed_scopes": None,
        "org_id": str(organization), "workspace_id": None,
    }))
    assert made.key and made.active
    return made.key


def account(client):
    user = User(**client.call(200, "GET", "/user"))
    assert client.call(200, "GET", "/user/limits") == user.limits
    assert client.call(200, "GET", "/user/preferences") == {}
    (own,) = [Organization(**o) for o in client.call(200, "GET", "/user/organizations")]
    assert own.name == user.username and own.is_active
    assert client.call(200, "GET", "/health") == {"status": "ok"}
    return own.id


def secrets(client):
    path = "/user/secrets"
    presets = [Preset(**p) for p in client.call(200, "GET", path + "/presets")["presets"]]
    assert [p.provider for p in presets[:4]] == ["openai", "anthropic", "github", "tinker"]
    value = "sk-proj-" + "x" * 30 + "789"
    openai = {"provider": "openai", "value": value}
    made = Secret(**client.call(201, "POST", path + "/preset", openai))
    assert made.name == "OPENAI_API_KEY"
    assert made.masked_value == "sk-pro\u2022\u2022\u2022\u2022789"
    own = Secret(**client.call(201, "POST", path, {"name": "OWN", "value": "v"}))
    assert own.provider is None
    listed = Secrets(**client.call(200, "GET", path))
    assert [s.name for s in listed.secrets] == ["OPENAI_API_KEY", "OWN"] and listed.total == 2
    assert Secret(**client.call(200, "GET", f"{path}/{made.id}")) == made
    newer = Secret(**client.call(200, "PUT", f"{path}/{made.id}", {"value": value + "1"}))
    assert newer.updated_at > made.updated_at and newer.masked_value.endswith("891")
    conflict = client.call(409, "POST", path, {"name": "OWN", "value": "v"})
    assert conflict.type == "conflict_error"
    refused = client.call(422, "POST", path + "/preset", {**openai, "value": ""})
    assert refused.errors[0].loc == ["body", "value"]
    assert client.call(422, "GET", path + "/1").errors[0].type == "uuid_parsing"
    for secret in (made, own):
        client.call(204, "DELETE", f"{path}/{secret.id}")
        client.call(404, "GET", f"{path}/{secret.id}")


def main():
    server = os.environ["SERVER"]
    tokens = log_in(server)
    organization = account(Client(server, Authorization="Bearer " + tokens.access_token))
    client = Client(server, **{"X-API-Key": make_key(server, tokens.access_token, organization)})
    account(client)
    secrets(client)
    client.call(403, "GET", "/user/api-keys")  # a key that makes no keys
    client.call(204, "DELETE", "/user/api-keys/self")
    assert client.call(401, "GET", "/user").type == "authentication_error"
    print("done")


main()
