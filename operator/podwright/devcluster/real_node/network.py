"""The node's own network, made with plain ioctls inside its fresh network namespace: no `ip`, no iptables.

Three addresses are enough. Loopback carries 127.0.0.1 for the kubelet's and containerd's own traffic and, as a second
address, the cluster address of the service `kubernetes`, where the relay listens; the bridge carries the gateway
of the pods. A pod that talks to the service sends to its gateway, which finds the address to be local: that
is how pods reach the API server without kube-proxy, DNAT or forwarding. Called by `init`, nowhere else.
"""

from __future__ import annotations

import fcntl
import ipaddress
import socket
import struct
from typing import Final

BRIDGE: Final = "cni0"
POD_NETWORK: Final = ipaddress.IPv4Network("10.244.0.0/16")
"""Free to choose: the namespace has no other routes, so it collides with nothing on the machine."""

_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_SIOCSIFADDR = 0x8916
_SIOCSIFNETMASK = 0x891C
_SIOCBRADDBR = 0x89A0
_IFF_UP = 0x1


def make_node_network(*, service_address: str) -> None:
    """Bring up loopback and the bridge in the network namespace of the calling process, which must be a new one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        _bring_up(control, "lo")
        _set_address(control, "lo:service", ipaddress.IPv4Interface(f"{service_address}/32"))
        make_bridge(control)
        _set_address(control, BRIDGE, ipaddress.IPv4Interface((next(POD_NETWORK.hosts()), POD_NETWORK.prefixlen)))
        _bring_up(control, BRIDGE)


def make_bridge(control: socket.socket) -> None:
    """Create the empty bridge. The CNI plugin `bridge` adopts it as it is."""
    fcntl.ioctl(control, _SIOCBRADDBR, BRIDGE.encode() + b"\0")


def _bring_up(control: socket.socket, name: str) -> None:
    answer = fcntl.ioctl(control, _SIOCGIFFLAGS, struct.pack("16sH14x", name.encode(), 0))
    flags: int = struct.unpack("16sH14x", answer)[1]
    fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14x", name.encode(), flags | _IFF_UP))


def _set_address(control: socket.socket, name: str, address: ipaddress.IPv4Interface) -> None:
    for request, value in ((_SIOCSIFADDR, address.ip), (_SIOCSIFNETMASK, address.netmask)):
        # struct ifreq: the name, then a struct sockaddr_in of family, port and address.
        fcntl.ioctl(control, request, struct.pack("16sHH4s8x", name.encode(), socket.AF_INET, 0, value.packed))
