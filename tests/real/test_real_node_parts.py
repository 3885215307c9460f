"""The parts of a real node that can be judged without one."""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from podwright.devcluster.real_node import busybox, cgroups, configuration, images, requirements
from podwright.devcluster.real_node.plan import NodePlan

_V2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate"
_HYBRID = """\
30 23 0:26 / /sys/fs/cgroup ro - tmpfs tmpfs ro
31 30 0:27 / /sys/fs/cgroup/cpu rw shared:5 - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
33 30 0:29 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
34 30 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw"""
_HYBRID_GROUPS = "3:memory:/session/a\n2:cpu,cpuacct:/\n1:name=systemd:/user.slice\n0::/user.slice"
_ENGINE = "40 30 0:28 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory"


@pytest.mark.parametrize(
    ("mounts", "groups", "expected"),
    [
        pytest.param(_V2, "0::/user.slice/session-1.scope", ["/sys/fs/cgroup/node"], id="version-2"),
        pytest.param(
            _HYBRID,
            _HYBRID_GROUPS,
            [
                "/sys/fs/cgroup/cpu/node",
                "/sys/fs/cgroup/memory/session/a/node",
                "/sys/fs/cgroup/systemd/user.slice/node",
                "/sys/fs/cgroup/unified/node",
            ],
            id="hybrid-with-a-nested-controller",
        ),
        pytest.param(_ENGINE, "4:memory:/docker/abc", ["/sys/fs/cgroup/memory/node"], id="mount-of-the-own-part"),
        pytest.param(_ENGINE, "4:memory:/docker/abc/d", ["/sys/fs/cgroup/memory/d/node"], id="below-the-own-part"),
        pytest.param(
            _ENGINE, "4:memory:/elsewhere", ["/sys/fs/cgroup/memory/node"], id="mount-that-misses-the-own-group"
        ),
        pytest.param("22 1 0:20 / /proc rw - proc proc rw", "0::/", [], id="none-mounted"),
    ],
)
def test_a_node_has_a_directory_in_every_hierarchy(mounts: str, groups: str, expected: list[str]) -> None:
    found = cgroups.hierarchies(mounts=mounts, groups=groups, read_controllers=False)
    assert [str(directory) for directory in cgroups.directories(found, name="node")] == expected


def test_version_1_hierarchies_are_named_as_mount_options() -> None:
    found = cgroups.hierarchies(mounts=_HYBRID, groups=_HYBRID_GROUPS, read_controllers=False)
    assert [hierarchy.controllers for hierarchy in found if hierarchy.version == 1] == [
        ("cpu", "cpuacct"), ("memory",), ("name=systemd",)
    ]  # fmt: skip


def an_image() -> images.Image:
    return images.busybox_image(
        b"program", applets=("sh", "ls", "busybox"), names=("podwright.dev/busybox:1", "also:1")
    )


def test_an_image_is_the_same_bytes_every_time(tmp_path: Path) -> None:
    for name in ("one.tar", "two.tar"):
        images.write_image(an_image(), tmp_path / name)
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()


def test_an_image_is_an_oci_layout_whose_blobs_are_what_their_names_say(tmp_path: Path) -> None:
    images.write_image(an_image(), tmp_path / "image.tar")
    with tarfile.open(tmp_path / "image.tar") as archive:
        blobs = {
            member.name: file.read()
            for member in archive.getmembers()
            if (file := archive.extractfile(member)) is not None
        }
    assert json.loads(blobs["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    for name, content in blobs.items():
        if name.startswith("blobs/sha256/"):
            assert hashlib.sha256(content).hexdigest() == name.removeprefix("blobs/sha256/")

    def blob(digest: str) -> bytes:
        return blobs[f"blobs/{digest.replace(':', '/')}"]

    entries = json.loads(blobs["index.json"])["manifests"]
    assert [entry["annotations"]["io.containerd.image.name"] for entry in entries] == [
        "podwright.dev/busybox:1", "also:1"
    ]  # fmt: skip
    manifest = json.loads(blob(entries[0]["digest"]))
    config = json.loads(blob(manifest["config"]["digest"]))
    assert config["config"]["Cmd"] == ["sh"]
    assert config["rootfs"]["diff_ids"] == [layer["digest"] for layer in manifest["layers"]]
    (tmp_path / "layer.tar").write_bytes(blob(manifest["layers"][0]["digest"]))
    with tarfile.open(tmp_path / "layer.tar") as layer:
        assert layer.getmember("bin/busybox").mode == 0o755
        assert layer.getmember("bin/ls").linkname == "busybox"
        assert layer.getmember("tmp").mode == 0o1777
        assert all((entry.uid, entry.gid, entry.mtime) == (0, 0, 0) for entry in layer.getmembers())


def test_a_program_with_a_loader_is_not_static(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    assert not busybox.is_static(script)
    if sys.platform == "linux":
        assert not busybox.is_static(Path(sys.executable).resolve())


def test_a_container_runs_although_it_asks_for_a_seccomp_filter(tmp_path: Path) -> None:
    (tmp_path / "runc").write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / "wrapper").write_text(configuration.RUNTIME_SCRIPT)
    for name in ("runc", "wrapper"):
        (tmp_path / name).chmod(0o755)
    spec = {"process": {"args": ['"seccomp":{']}, "linux": {"seccomp": {"defaultAction": "SCMP_ACT_ERRNO"}}}
    (tmp_path / "config.json").write_text(json.dumps(spec, separators=(",", ":")))
    arguments = ["--root", "/run/x", "create", "--bundle", str(tmp_path), "--pid-file", "p", "id"]
    answer = subprocess.run(
        [tmp_path / "wrapper", *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )
    assert answer.stdout.split() == arguments
    changed = json.loads((tmp_path / "config.json").read_text())
    assert "seccomp" not in changed["linux"]
    assert changed["process"]["args"] == ['"seccomp":{']


def test_programs_may_come_from_several_directories() -> None:
    plan = NodePlan(
        node_name="real-0",
        cluster_id="c",
        cgroup_name="podwright-c-real-0",
        cgroup_directories=(),
        program_directories=("/cache/cni", "/cache/runc"),
        api_port=1,
        service_address="10.96.0.1",
        kubelet_port=2,
    )
    toml = configuration.containerd_toml(plan, snapshotter="native")
    assert 'bin_dirs = ["/run/podwright/programs/0", "/run/podwright/programs/1"]' in toml
    assert 'snapshotter = "native"' in toml


class TestWhyNotReal:
    @pytest.fixture(autouse=True)
    @staticmethod
    def _forget() -> None:
        requirements.why_not_real.cache_clear()

    def test_another_system(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "platform", "darwin")
        assert "need Linux, and this is darwin" in (requirements.why_not_real() or "")

    def test_without_root(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "platform", "linux")
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        assert "need root" in (requirements.why_not_real() or "")
        assert requirements.obstacles() == (requirements.why_not_real(),)

    @pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root has a capability to lose")
    def test_as_root_without_the_right_to_make_namespaces(self) -> None:
        drop_from_bounding_set, system_administration = 24, 21
        answer = subprocess.run(
            [sys.executable, "-m", "podwright.devcluster.real_node.trial"],
            capture_output=True,
            text=True,
            check=False,
            env=requirements.python_environment(),
            preexec_fn=lambda: ctypes.CDLL(None).prctl(drop_from_bounding_set, system_administration, 0, 0, 0),
        )
        assert answer.returncode == 1
        assert answer.stdout.startswith("Real nodes must make namespaces, and that fails here")
        assert answer.stdout.endswith("start it privileged.")
