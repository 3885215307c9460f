"""What the embedded cluster is made of: every program, the pinned Go module it comes from, and how it is linked.

Pure data. The versions live in `gomodules/*/go.mod`; raising one means running `go get` and `go mod tidy` there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

MODULES_DIRECTORY = Path(__file__).parent / "gomodules"


@dataclass(frozen=True, kw_only=True)
class GoModule:
    """A pinned module of `gomodules/` and the programs that are built from it, in one run of the compiler."""

    name: str
    packages: tuple[str, ...]
    version_of: str
    """The required module whose version names this one to people."""
    cgo: bool = False
    stamped: bool = False
    """Whether the version must be linked in as Kubernetes does, since clients and admission read it."""

    @property
    def directory(self) -> Path:
        """Where its `go.mod` and `go.sum` lie."""
        return MODULES_DIRECTORY / self.name

    @property
    def version(self) -> str:
        """The pinned version, for example `v1.36.3`."""
        match = re.search(rf"^(?:require)?\s*{re.escape(self.version_of)} (v\S+)", self._go_mod(), re.MULTILINE)
        if match is None:
            raise LookupError(f"{self.directory / 'go.mod'} doesn't require {self.version_of}")
        return match[1]

    @property
    def go_directive(self) -> tuple[int, ...]:
        """The least Go version that builds this module."""
        match = re.search(r"^go (\d+(?:\.\d+)*)$", self._go_mod(), re.MULTILINE)
        if match is None:
            raise LookupError(f"{self.directory / 'go.mod'} has no go directive")
        return tuple(int(number) for number in match[1].split("."))

    def package_of(self, program: str) -> str:
        """Return the import path of `program`."""
        return next(package for package in self.packages if _program_name(package) == program)

    @property
    def programs(self) -> tuple[str, ...]:
        """Names of the programs that it builds."""
        return tuple(_program_name(package) for package in self.packages)

    def _go_mod(self) -> str:
        return (self.directory / "go.mod").read_text(encoding="utf-8")


def _program_name(package: str) -> str:
    return "etcd" if package == "go.etcd.io/etcd/server/v3" else package.rsplit("/", 1)[1]


_KUBERNETES_PROGRAMS = ("kube-apiserver", "kubectl", "kube-controller-manager", "kube-scheduler", "kubelet")
_CNI = "github.com/containernetworking/plugins/plugins"
_CONTAINERD = "github.com/containerd/containerd/v2"

GO_MODULES: tuple[GoModule, ...] = (
    GoModule(name="etcd", packages=("go.etcd.io/etcd/server/v3",), version_of="go.etcd.io/etcd/server/v3"),
    GoModule(
        name="kubernetes",
        packages=tuple(f"k8s.io/kubernetes/cmd/{program}" for program in _KUBERNETES_PROGRAMS),
        version_of="k8s.io/kubernetes",
        stamped=True,
    ),
    GoModule(name="kwok", packages=("sigs.k8s.io/kwok/cmd/kwok",), version_of="sigs.k8s.io/kwok"),
    GoModule(
        name="containerd",
        packages=tuple(f"{_CONTAINERD}/cmd/{program}" for program in ("containerd", "containerd-shim-runc-v2", "ctr")),
        version_of=_CONTAINERD,
    ),
    GoModule(
        name="runc",
        packages=("github.com/opencontainers/runc",),
        version_of="github.com/opencontainers/runc",
        cgo=True,
    ),
    GoModule(
        name="cni",
        packages=tuple(
            f"{_CNI}/{path}" for path in ("main/bridge", "main/loopback", "ipam/host-local", "meta/portmap")
        ),
        version_of="github.com/containernetworking/plugins",
    ),
    GoModule(name="helm", packages=("helm.sh/helm/v3/cmd/helm",), version_of="helm.sh/helm/v3"),
)

CONTROL_PLANE = ("etcd", "kube-apiserver", "kubectl", "kube-controller-manager", "kube-scheduler")
FAKE_NODES = ("kwok",)
REAL_NODES = (
    "kubelet",
    "containerd",
    "containerd-shim-runc-v2",
    "ctr",
    "runc",
    "bridge",
    "loopback",
    "host-local",
    "portmap",
)
HELM = ("helm",)


def module_of(program: str) -> GoModule:
    """Return the module that builds `program`."""
    for module in GO_MODULES:
        if program in module.programs:
            return module
    known = ", ".join(program for module in GO_MODULES for program in module.programs)
    raise LookupError(f"{program!r} is no component; known are {known}")
