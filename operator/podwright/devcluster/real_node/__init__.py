"""Real nodes of the embedded cluster: a kubelet, containerd and runc on this very machine (Linux, root).

A node is a set of namespaces (pid, mount, network, cgroup, UTS, IPC) around one init process. Inside, kubelet and
containerd run with their default paths as on a machine of their own; outside, nothing but a launcher process, the
cgroups and the data directory exists: no mount, no network link, no firewall rule, no system setting. So a node ends as
a whole, by the kernel, whatever was killed first, and any number of nodes stand side by side.

    the machine                         the node
    launcher ── forks ────────────────▶ init (pid 1): sets up, then starts and reaps
      │                                   ├─ containerd ── shims ── pods, on the bridge cni0
      ├─ 127.0.0.1:<API server> ◀─ relay ─┼─ <service kubernetes>:443   (kubelet and pods come here)
      └─ 127.0.0.1:<kubelet> ──── relay ─▶└─ kubelet                    (logs, exec, port-forward)

Modules: `requirements` says whether a machine can have a node, `node` starts and removes one; the rest is used by them.
"""

from podwright.devcluster.real_node.requirements import why_not_real

__all__ = ["why_not_real"]
