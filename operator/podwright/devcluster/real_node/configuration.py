"""The configuration files and command lines of containerd, CNI and the kubelet, as seen from inside a node.

Paths are the defaults wherever possible, since the node has them for itself (see `filesystem`). What differs from a
usual node, and why, stands beside each setting. Called by `init`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import yaml

from podwright.devcluster.real_node.filesystem import NODE_DIRECTORY, program_path
from podwright.devcluster.real_node.network import BRIDGE, POD_NETWORK

if TYPE_CHECKING:
    from podwright.devcluster.real_node.plan import NodePlan

CONTAINERD_SOCKET: Final = Path("/run/containerd/containerd.sock")
SANDBOX_IMAGE: Final = "podwright.dev/pause:1"
KUBECONFIG_FILE: Final = "kubelet.kubeconfig"
"""In the node's directory, written by `node`: how the kubelet reaches the API server, as which user."""
CLIENT_CA_FILE: Final = "client-ca.crt"
"""In the node's directory, written by `node`: who may talk to the kubelet."""

_CONTAINERD_FILE = Path("/run/podwright/containerd.toml")
_CNI_DIRECTORY = Path("/run/podwright/net.d")
_KUBELET_FILE = Path("/run/podwright/kubelet.yaml")
_RESOLV_CONF = Path("/run/podwright/resolv.conf")
_RUNTIME_FILE = Path("/run/podwright/runc-without-seccomp")

RUNTIME_SCRIPT = """\
#!/bin/sh
# runc is built without libseccomp, which only few machines have the headers of, and then refuses every container that
# asks for a filter; the kubelet asks for one for each sandbox. An unknown key is ignored, so the filter's is renamed.
previous=
for argument; do
    [ "$previous" != --bundle ] || sed -i 's/"seccomp":{/"unusedSeccomp":{/' "$argument/config.json"
    previous=$argument
done
exec runc "$@"
"""

CONTAINERD_COMMAND: Final = ("containerd", "--config", str(_CONTAINERD_FILE))
KUBELET_COMMAND: Final = (
    "kubelet",
    f"--config={_KUBELET_FILE}",
    f"--kubeconfig={NODE_DIRECTORY / KUBECONFIG_FILE}",
    # Makes the kubelet keep the addresses that the Node object has already, instead of refusing loopback as its own.
    "--cloud-provider=external",
)


def write(plan: NodePlan, *, snapshotter: str) -> None:
    """Write everything to the node's own `/run`."""
    _CONTAINERD_FILE.write_text(containerd_toml(plan, snapshotter=snapshotter), encoding="utf-8")
    _CNI_DIRECTORY.mkdir()
    (_CNI_DIRECTORY / "10-pods.conflist").write_text(json.dumps(network_list()), encoding="utf-8")
    _KUBELET_FILE.write_text(yaml.safe_dump(kubelet_configuration(plan)), encoding="utf-8")
    _RUNTIME_FILE.write_text(RUNTIME_SCRIPT, encoding="utf-8")
    _RUNTIME_FILE.chmod(0o755)
    # Pods resolve nothing: there is no DNS server, and none of the machine's may be asked.
    _RESOLV_CONF.write_text("", encoding="utf-8")


def containerd_toml(plan: NodePlan, *, snapshotter: str) -> str:
    """Return the configuration of containerd; `snapshotter` is `overlayfs`, or `native` where that can't be mounted."""
    return f"""\
version = 3
disabled_plugins = [
  "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.blockfile", "io.containerd.snapshotter.v1.erofs", "io.containerd.nri.v1.nri",
  "io.containerd.internal.v1.opt",
]

[plugins."io.containerd.cri.v1.images"]
snapshotter = "{snapshotter}"

[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "{SANDBOX_IMAGE}"

[plugins."io.containerd.cri.v1.runtime"]
# Without CAP_SYS_RESOURCE no process may lower its own OOM score, and starting a sandbox would fail over it.
restrict_oom_score_adj = true
# containerd would load its profile into the machine's kernel, and nobody would take it out again.
disable_apparmor = true

[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = {json.dumps(program_path(plan.program_directories))}
conf_dir = "{_CNI_DIRECTORY}"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
SystemdCgroup = false
BinaryName = "{_RUNTIME_FILE}"

[plugins."io.containerd.grpc.v1.cri"]
stream_server_address = "127.0.0.1"
stream_server_port = "0"
"""


def network_list() -> dict[str, object]:
    """Return the CNI network of the pods: the node's bridge. No masquerading, since nothing leaves the node."""
    return {
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [
            {
                "type": "bridge",
                "bridge": BRIDGE,
                "isGateway": True,
                "ipMasq": False,
                "ipam": {
                    "type": "host-local",
                    "dataDir": "/run/cni",
                    "ranges": [[{"subnet": str(POD_NETWORK)}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            }
        ],
    }


def kubelet_configuration(plan: NodePlan) -> dict[str, object]:
    """Return the KubeletConfiguration."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": "127.0.0.1",
        "port": plan.kubelet_port,
        "healthzPort": 0,
        "readOnlyPort": 0,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(NODE_DIRECTORY / CLIENT_CA_FILE)},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "resolvConf": str(_RESOLV_CONF),
        "clusterDomain": "cluster.local",
        # Nobody answers there; without an address each pod would get a warning event.
        "clusterDNS": [str(POD_NETWORK[-2])],
        # The node's cgroup namespace is its own, so neither a hierarchy per quality of service nor a reserve is needed,
        # and the machine may run cgroup v1, in whatever layout.
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "cgroupsPerQOS": False,
        "enforceNodeAllocatable": [],
        "localStorageCapacityIsolation": False,
        "failSwapOn": False,
        "oomScoreAdj": 0,
        "makeIPTablesUtilChains": False,
        # The disk is the developer's and may be nearly full: never evict or collect for that.
        "evictionHard": {
            "memory.available": "0%",
            "nodefs.available": "0%",
            "imagefs.available": "0%",
            "nodefs.inodesFree": "0%",
            "imagefs.inodesFree": "0%",
        },
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        # Quick, and without limits that would shape a test's measurements.
        "nodeStatusUpdateFrequency": "2s",
        "nodeStatusReportFrequency": "10s",
        "syncFrequency": "5s",
        "serializeImagePulls": False,
        "registryPullQPS": 0,
        "eventRecordQPS": 0,
        "kubeAPIQPS": 500,
        "kubeAPIBurst": 1000,
        "maxPods": 250,
        "shutdownGracePeriod": "0s",
        "volumeStatsAggPeriod": "-1s",
    }
