import os
from pathlib import Path

import pytest
import yaml

from podwright.kube.access import Access, CredentialsError
from podwright.kube.credentials import (
    FixedCredentials,
    KubeconfigCredentials,
    ServiceAccountCredentials,
    load_credentials,
)

IN_A_POD = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}


@pytest.fixture
def account(tmp_path: Path) -> Path:
    """What the kubelet mounts."""
    (tmp_path / "token").write_text("first\n", encoding="ascii")
    (tmp_path / "ca.crt").write_text("authority", encoding="ascii")
    return tmp_path


def write_kubeconfig(path: Path, **user: str) -> str:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "main",
        "contexts": [
            {"name": "main", "context": {"cluster": "c", "user": "u"}},
            {"name": "other", "context": {"cluster": "d", "user": "u"}},
        ],
        "clusters": [
            {"name": "c", "cluster": {"server": "https://10.0.0.2:6443", "tls-server-name": "kube.example"}},
            {"name": "d", "cluster": {"server": "https://10.0.0.3:6443/", "insecure-skip-tls-verify": True}},
        ],
        "users": [{"name": "u", "user": {"token": "secret", **user}}],
    }
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return str(path)


def test_in_a_pod(account: Path) -> None:
    credentials = load_credentials(environment=IN_A_POD, directory=account)
    assert credentials.access == Access(
        server="https://10.0.0.1:443", token="first", authority_file=str(account / "ca.crt")
    )


def test_in_a_pod_with_an_ipv6_address(account: Path) -> None:
    environment = {**IN_A_POD, "KUBERNETES_SERVICE_HOST": "fd00::1"}
    assert load_credentials(environment=environment, directory=account).access.server == "https://[fd00::1]:443"


async def test_a_rotated_token_is_read_again(account: Path) -> None:
    now = 0.0
    credentials = ServiceAccountCredentials(server="https://x", directory=account, clock=lambda: now)
    (account / "token").write_text("second", encoding="ascii")
    now = 59.0
    assert credentials.access.token == "first"
    now = 60.0
    assert credentials.access.token == "second"
    (account / "token").write_text("third", encoding="ascii")
    await credentials.reload()
    assert credentials.access.token == "third"


async def test_a_token_that_vanished_is_used_until_it_is_refused(account: Path) -> None:
    now = 0.0
    credentials = ServiceAccountCredentials(server="https://x", directory=account, clock=lambda: now)
    (account / "token").unlink()
    now = 100.0
    assert credentials.access.token == "first"
    with pytest.raises(CredentialsError, match="token"):
        await credentials.reload()


@pytest.mark.parametrize("damage", ["token", "ca.crt", "empty"])
def test_a_broken_mount(account: Path, damage: str) -> None:
    if damage == "empty":
        (account / "token").write_text("\n", encoding="ascii")
    else:
        (account / damage).unlink()
    with pytest.raises(CredentialsError, match="token"):
        load_credentials(environment=IN_A_POD, directory=account)


def test_nothing_is_guessed(tmp_path: Path) -> None:
    with pytest.raises(CredentialsError, match="KUBERNETES_SERVICE_HOST is not set"):
        load_credentials(environment={"HOME": str(tmp_path)})


def test_kubeconfig(tmp_path: Path) -> None:
    path = write_kubeconfig(tmp_path / "config")
    for credentials in (
        load_credentials(kubeconfig=path, environment=IN_A_POD),
        load_credentials(environment={**IN_A_POD, "KUBECONFIG": path}),
    ):
        assert isinstance(credentials, KubeconfigCredentials)
        assert credentials.access == Access(server="https://10.0.0.2:6443", token="secret", server_name="kube.example")


async def test_another_context_and_a_changed_file(tmp_path: Path) -> None:
    path = write_kubeconfig(tmp_path / "config")
    credentials = load_credentials(kubeconfig=path, context="other")
    assert credentials.access == Access(server="https://10.0.0.3:6443", token="secret", verify=False)
    write_kubeconfig(tmp_path / "config", token="new")
    await credentials.reload()
    assert credentials.access.token == "new"


@pytest.mark.parametrize("content", [None, "", "{", "a: b", "- 1"])
def test_a_broken_kubeconfig(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "config"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(CredentialsError, match=str(path)):
        load_credentials(kubeconfig=str(path))


def test_no_such_context(tmp_path: Path) -> None:
    with pytest.raises(CredentialsError, match=r"there is no context mian in .*config; there are main"):
        load_credentials(kubeconfig=write_kubeconfig(tmp_path / "config"), context="mian")


def test_the_namespace_of_a_context_and_of_a_pod(tmp_path: Path, account: Path) -> None:
    path = tmp_path / "config"
    written = yaml.safe_load(Path(write_kubeconfig(path)).read_text(encoding="utf-8"))
    written["contexts"][0]["context"]["namespace"] = "team"
    path.write_text(yaml.safe_dump(written), encoding="utf-8")
    assert load_credentials(kubeconfig=str(path)).access.namespace == "team"
    (account / "namespace").write_text("apps\n", encoding="utf-8")
    assert load_credentials(environment=IN_A_POD, directory=account).access.namespace == "apps"


def test_an_empty_device_is_no_kubeconfig() -> None:
    with pytest.raises(CredentialsError):
        load_credentials(environment={"KUBECONFIG": os.devnull})


async def test_fixed() -> None:
    credentials = FixedCredentials(Access(server="http://x"))
    await credentials.reload()
    assert credentials.access == Access(server="http://x")
