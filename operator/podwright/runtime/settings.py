"""What can be set about a running operator; the CLI's options and the kopf entry fill it in."""

import msgspec

from podwright.core.accounting import Accounting
from podwright.core.run.events import EventLevel


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All durations in seconds."""

    identity: str
    """Unique for every process start, so that a restarted operator never mistakes a former term for its own."""
    namespace: str = "podwright-system"
    """Where the operator's Leases are."""
    watch_namespaces: tuple[str, ...] = ()
    """Whose jobs are run; empty for those of all namespaces. The rights that are needed are limited to them."""
    lease_duration: float = 10.0
    renew_deadline: float = 7.0
    renew_interval: float = 2.0
    retry_interval: float = 1.0
    request_deadline: float = 10.0
    highest_concurrency: int = 64
    blind_limit: float = 120.0
    """Without news of jobs or pods for so long a leader steps down, and a standby doesn't compete. Longer than the silence
    after which a watch is opened anew."""
    accounting: Accounting = Accounting.EXACT
    events: EventLevel = EventLevel.PROBLEMS
    """Which Kubernetes Events of jobs are recorded."""
    fence: bool = True
    """Refuse to lead unless the admission policy that fences out former leaders is in force."""
    http_port: int = 8080
    """Where probes and metrics are served; 0 picks a free port."""
    http_host: str = "::"
    """`::` means all addresses, IPv6 and IPv4: the kubelet's probes and Prometheus come from outside the pod."""
