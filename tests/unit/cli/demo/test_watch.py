from __future__ import annotations

import io
import json
import stat
from pathlib import Path

from podwright.cli.demo.watch import JobWatch, documents, follow
from podwright.devcluster import DevCluster
from podwright.devcluster.kubeconfig import Endpoint, write_for_token
from podwright.devcluster.spec import ClusterKind


def batch_job(name: str) -> str:
    metadata = {"name": name, "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {"text": "}\n{"}}
    return json.dumps({"kind": "BatchJob", "metadata": metadata}, indent=4) + "\n"


def cluster_with(kubectl: str, directory: Path) -> DevCluster:
    """A cluster whose kubectl is a shell script; nothing else of it is there."""
    program = directory / "kubectl"
    program.write_text(f"#!/bin/sh\n{kubectl}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    kubeconfig = write_for_token(
        directory / "kubeconfig", endpoint=Endpoint("https://127.0.0.1:1", b""), user="u", token="t", namespace="n"
    )
    return DevCluster(kind=ClusterKind.NAMED, kubeconfig=kubeconfig, kubectl_path=program, nodes=None)


def test_objects_that_follow_each_other_are_told_apart() -> None:
    stream = io.StringIO(batch_job("a") + batch_job("b") + '{\n    "cut": ')
    assert [found["metadata"]["name"] for found in documents(stream)] == ["a", "b"]


def test_a_watch_that_ends_is_begun_again(tmp_path: Path) -> None:
    (tmp_path / "job").write_text(batch_job("a"))
    cluster = cluster_with(f'echo "$@" >> {tmp_path}/calls; cat {tmp_path}/job', tmp_path)
    with JobWatch(cluster, namespace="demo") as watch:
        jobs = [watch.next(timeout=30) for _ in range(2)]
    assert [job.name for job in jobs if job is not None] == ["a", "a"]
    call = (tmp_path / "calls").read_text().splitlines()[0]
    assert (
        call == f"--kubeconfig={cluster.kubeconfig} --namespace=demo get batchjobs.podwright.dev --watch --output=json"
    )


def test_leaving_ends_the_watch_and_following_ends_with_its_time(tmp_path: Path) -> None:
    cluster = cluster_with(f"echo $$ > {tmp_path}/pid; exec sleep 60", tmp_path)
    with JobWatch(cluster, namespace="demo") as watch:
        assert set(follow(watch, seconds=0.3, poll=0.1)) == {None}
    pid = (tmp_path / "pid").read_text().strip()
    assert not Path("/proc", pid).exists()
