"""A scheduler and nodes that play the lives of pods as their annotations tell.

The annotations are those of the fake nodes of `podwright.devcluster.fake_nodes`, so one manifest behaves the same on both.
In addition `spec.activeDeadlineSeconds` is enforced, as a real kubelet does.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from podwright.core.constants import names
from podwright.devcluster.fake_nodes import ANNOTATION_PREFIX
from tests.support.simulator import pods
from tests.support.simulator.api import Api
from tests.support.simulator.clock import parse_timestamp, timestamp
from tests.support.simulator.deletion import DeleteOptions, Preconditions
from tests.support.simulator.kinds import POD
from tests.support.simulator.storage import Event, EventType, Key

Document = dict[str, Any]

USER: Final = "system:node"
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNIT_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_SIGTERM_EXIT, _SIGKILL_EXIT = 143, 137


class Kubelet:
    """Binds every new pod to one of `nodes` nodes and runs it there.

    Args:
        api: where the pods are.
        nodes: how many nodes there are, named as the fake ones.
        latency: seconds between what a node sees and what it does.
    """

    def __init__(self, api: Api, *, nodes: int = 10, latency: float = 0.0) -> None:
        self._api = api
        self._nodes = nodes
        self._latency = latency
        self._bound = 0
        self.paused = False
        api.table(POD).listeners.append(self._seen)

    def pause(self) -> None:
        """Stop doing anything, as nodes that lost the API server."""
        self.paused = True

    def resume(self) -> None:
        """Go on, catching up with what was missed."""
        self.paused = False
        for key, stored in self._api.table(POD).objects.items():
            self._act(key, stored.document)

    def _seen(self, event: Event) -> None:
        if event.type is not EventType.DELETED and not self.paused:
            self._act(event.key, event.current.document)

    def _act(self, key: Key, pod: Document) -> None:
        """Plan the next step of a pod, from what it is now."""
        metadata, status = pod["metadata"], pod["status"]
        script = _script(metadata)
        if "deletionTimestamp" in metadata:
            self._plan_end(key, pod, script)
        elif not pod["spec"].get("nodeName"):
            if not pod["spec"].get("schedulingGates") and pod["spec"]["schedulerName"] == "default-scheduler":
                self._plan(0.0, key, metadata["uid"], self._bind)
        elif status["phase"] == "Pending":
            self._plan(_seconds(script.get("pending", "0s")), key, metadata["uid"], self._start)
        elif status["phase"] == "Running":
            duration = script.get("duration", "0s")
            began = parse_timestamp(status["startTime"])
            deadline = pod["spec"].get("activeDeadlineSeconds")
            if duration != "forever" and pod["spec"]["restartPolicy"] != "Always":
                self._plan(began + _seconds(duration) - self._api.clock.now(), key, metadata["uid"], self._end)
            if deadline is not None:
                self._plan(began + deadline - self._api.clock.now(), key, metadata["uid"], self._out_of_time)

    def _plan_end(self, key: Key, pod: Document, script: Mapping[str, str]) -> None:
        metadata = pod["metadata"]
        if not pod["spec"].get("nodeName"):
            return
        if pod["status"]["phase"] in ("Succeeded", "Failed"):
            if metadata["deletionGracePeriodSeconds"] > 0:
                self._plan(0.0, key, metadata["uid"], self._remove)
        elif script.get("never-terminates") != "true":
            delay = 0.0
            if script.get("ignore-sigterm") == "true":
                delay = parse_timestamp(metadata["deletionTimestamp"]) - self._api.clock.now()
            self._plan(delay, key, metadata["uid"], self._terminate)

    def _plan(self, delay: float, key: Key, uid: str, step: Callable[[Document], Document | None]) -> None:
        def act() -> None:
            stored = self._api.table(POD).objects.get(key)
            if self.paused or stored is None or stored.document["metadata"]["uid"] != uid:
                return
            changed = step(stored.document)
            if changed is None:
                return
            subresource = "binding" if step == self._bind else "status"
            self._api.update(POD, key, lambda _: changed, user=USER, subresource=subresource)

        self._api.clock.call_later(max(delay, 0.0) + self._latency, act)

    def _bind(self, pod: Document) -> Document | None:
        if pod["spec"].get("nodeName") or "deletionTimestamp" in pod["metadata"]:
            return None
        self._bound += 1
        return pods.bound(pod, {"target": {"name": f"fake-{self._bound % self._nodes}"}})

    def _start(self, pod: Document) -> Document | None:
        if pod["status"]["phase"] != "Pending" or "deletionTimestamp" in pod["metadata"]:
            return None
        now = timestamp(self._api.clock.now())
        states = [
            {"name": container["name"], "ready": True, "restartCount": 0, "state": {"running": {"startedAt": now}}}
            for container in pod["spec"]["containers"]
        ]
        return _with_status(pod, phase="Running", startTime=now, containerStatuses=states)

    def _end(self, pod: Document) -> Document | None:
        if pod["status"]["phase"] != "Running" or "deletionTimestamp" in pod["metadata"]:
            return None
        script = _script(pod["metadata"])
        signal = int(script.get("signal", "0"))
        code = int(script.get("exit-code", str(128 + signal if signal else 0)))
        if codes := script.get("exit-codes"):
            attempt = int(pod["metadata"].get("labels", {}).get(names.LABEL_ATTEMPT, "0"))
            code = int(codes.split(",")[: attempt + 1][-1])
        reason = script.get("reason", "Error" if code else "Completed")
        return self._ended(pod, code=code, reason=reason, message=script.get("termination-message", ""))

    def _out_of_time(self, pod: Document) -> Document | None:
        if pod["status"]["phase"] != "Running":
            return None
        ended = self._ended(pod, code=_SIGKILL_EXIT, reason="Error", message="")
        told = "Pod was active on the node longer than the specified deadline"
        return _with_status(ended, phase="Failed", reason="DeadlineExceeded", message=told)

    def _terminate(self, pod: Document) -> Document | None:
        if pod["status"]["phase"] not in ("Pending", "Running"):
            return None
        killed = _script(pod["metadata"]).get("ignore-sigterm") == "true"
        killed = killed or pod["metadata"]["deletionGracePeriodSeconds"] == 0
        return self._ended(pod, code=_SIGKILL_EXIT if killed else _SIGTERM_EXIT, reason="Error", message="")

    def _remove(self, pod: Document) -> None:
        metadata = pod["metadata"]
        options = DeleteOptions(grace_period_seconds=0, preconditions=Preconditions(metadata["uid"]))
        self._api.delete(POD, Key(metadata["namespace"], metadata["name"]), options, user=USER)

    def _ended(self, pod: Document, *, code: int, reason: str, message: str) -> Document:
        now = timestamp(self._api.clock.now())
        began = pod["status"].get("startTime")
        ended: Document = {"exitCode": code, "reason": reason, "startedAt": began, "finishedAt": now}
        if began is None:  # as a kubelet puts it when a container never ran
            ended = {
                "exitCode": _SIGKILL_EXIT,
                "reason": "ContainerStatusUnknown",
                "startedAt": None,
                "finishedAt": None,
            }
        if message:
            ended["message"] = message
        states = [
            {"name": container["name"], "ready": False, "restartCount": 0, "state": {"terminated": ended}}
            for container in pod["spec"]["containers"]
        ]
        return _with_status(pod, phase="Failed" if code else "Succeeded", containerStatuses=states)


def _script(metadata: Document) -> Mapping[str, str]:
    annotations = metadata.get("annotations", {})
    return {
        name.removeprefix(ANNOTATION_PREFIX): value
        for name, value in annotations.items()
        if name.startswith(ANNOTATION_PREFIX)
    }


def _seconds(text: str) -> float:
    return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in _DURATION.findall(text))


def _with_status(pod: Document, **fields: Any) -> Document:
    return {**pod, "status": {**pod["status"], **fields}}
