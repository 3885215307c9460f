"""Every reason that a status, a condition or an attempt can have, with what it means and what to do about it.

The one list: policies take their reasons from here, and `kubectl explain`, `podwright why` and the tables of
`docs/how-to/troubleshoot.md` are made from it (`make crds`). A value is part of the API: scripts compare it, so it never changes.
An attempt's reason may also be a word of the kubelet's that isn't listed, such as `CreateContainerConfigError`.

Facts about the words of Kubernetes (k8s.io/kubernetes): `pkg/apis/core/types.go` (DisruptionTarget), `pkg/kubelet/lifecycle/predicate.go`,
`pkg/kubelet/eviction`, `pkg/kubelet/images/types.go`, `pkg/kubelet/container/sync_result.go`.
"""

import enum
from typing import Self


class Subject(enum.StrEnum):
    """What a reason is a reason of; the order is that of the troubleshooting page."""

    WAITING = "a job that waits"
    ACTIVE = "a job that runs, is tried again or is being stopped"
    ENDED = "a job that ended"
    ATTEMPT = "an attempt"


_WAITING, _ACTIVE, _ENDED, _ATTEMPT = Subject


class Reason(enum.StrEnum):
    """A reason. `subjects` says where it may stand, `meaning` and `remedy` are for people; remedy is "" if nothing is to be done."""

    subjects: tuple[Subject, ...]
    meaning: str
    remedy: str

    def __new__(cls, value: str, subjects: tuple[Subject, ...], meaning: str, remedy: str = "") -> Self:
        """Make a member of the table below."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.subjects = subjects
        member.meaning = meaning
        member.remedy = remedy
        return member

    @classmethod
    def known(cls, text: str) -> "Reason | None":
        """Return the reason with this value; None for words of Kubernetes that aren't listed."""
        return cls._value2member_map_.get(text)  # type: ignore[return-value]  # typeshed has no narrower type

    # A job that waits.
    DELAYED = "Delayed", (_WAITING,), "spec.startAt is in the future.", "Wait, or change startAt."
    DEPENDENCY_WAITING = (
        "DependencyWaiting",
        (_WAITING,),
        "A job that it depends on hasn't reached the required state.",
        "Look at that job: podwright why.",
    )
    DEPENDENCY_MISSING = (
        "DependencyMissing",
        (_WAITING,),
        "A job that it depends on doesn't exist.",
        "Create that job, or cancel this one.",
    )
    DEPENDENCY_CYCLE = (
        "DependencyCycle",
        (_WAITING,),
        "Jobs wait for each other; the message names them.",
        "Cancel or delete one of them.",
    )
    KEY_NOT_CLAIMABLE = (
        "KeyNotClaimable",
        (_WAITING,),
        "The Lease of its idempotency key can't be read or written.",
        "The message says why: apply Podwright's manifests again, or delete the Lease.",
    )
    TOO_MANY_KEYS = (
        "TooManyKeys",
        (_WAITING,),
        "The namespace has as many idempotency keys as are remembered at once.",
        "Goes on by itself once keys are forgotten, a dedupWindow after the ends of their jobs. Use shorter windows.",
    )
    QUOTA_EXCEEDED = (
        "QuotaExceeded",
        (_WAITING,),
        "A ResourceQuota of the namespace is used up.",
        "Retried automatically: wait, or raise the quota.",
    )
    QUOTA_UNSATISFIABLE = (
        "QuotaUnsatisfiable",
        (_WAITING,),
        "The pod asks for more than a ResourceQuota has in all, or lacks requests or limits that it demands: waiting doesn't help.",
        "Create a corrected job or change the quota. spec.timeouts.queue ends such a job by itself.",
    )
    SERVICE_ACCOUNT_MISSING = (
        "ServiceAccountMissing",
        (_WAITING,),
        "The pod's serviceAccountName doesn't exist.",
        "Create it; the pod is retried automatically.",
    )
    PRIORITY_CLASS_MISSING = (
        "PriorityClassMissing",
        (_WAITING,),
        "The pod's priorityClassName doesn't exist.",
        "Create it; the pod is retried automatically.",
    )
    RUNTIME_CLASS_MISSING = (
        "RuntimeClassMissing",
        (_WAITING,),
        "The pod's runtimeClassName doesn't exist.",
        "Create it; the pod is retried automatically.",
    )
    NAMESPACE_TERMINATING = (
        "NamespaceTerminating",
        (_WAITING,),
        "The namespace is being deleted.",
        "Nothing: the job is deleted with it.",
    )
    OPERATOR_FORBIDDEN = (
        "OperatorForbidden",
        (_WAITING,),
        "The operator may not create pods in this namespace.",
        "Apply Podwright's manifests again.",
    )
    API_SERVER_NOT_READY = "ApiServerNotReady", (_WAITING,), "The API server is starting.", "Wait."
    ADMISSION_WEBHOOK_FAILED = (
        "AdmissionWebhookFailed",
        (_WAITING,),
        "An admission webhook of the cluster didn't answer, so the pod wasn't created.",
        "Retried automatically; the message names the webhook.",
    )
    POD_CREATION_FAILED = (
        "PodCreationFailed",
        (_WAITING,),
        "The API server failed to create the pod.",
        "Retried automatically; the message is the server's.",
    )
    STARTING = (
        "Starting",
        (_WAITING,),
        "With AtMostOnce: the intent to create the pod is on record, and the pod is created next.",
        "Wait a moment; up to 75 s if the API server doesn't answer.",
    )
    UNSCHEDULABLE = (
        "Unschedulable",
        (_WAITING,),
        "No node fits the pod; the message is the scheduler's.",
        "Ask for less, or wait for room.",
    )
    POD_LABEL_MISSING = (
        "PodLabelMissing",
        (_WAITING, _ACTIVE),
        "Something in the cluster keeps taking Podwright's labels off a pod; the message names them.",
        "Exempt labels under podwright.dev from the mutating policy that does it. Until then the pod's end is noticed late.",
    )
    POD_CHANGE_REFUSED = (
        "PodChangeRefused",
        (_WAITING, _ACTIVE),
        "An admission policy or a missing right keeps Podwright from changing or deleting a pod; the message names it.",
        "Let the operator's service account change its pods. Retried automatically; the job's other pods aren't affected.",
    )
    POD_PENDING = "PodPending", (_WAITING,), "The pod exists and hasn't started.", "kubectl describe pod shows why."
    TASKS_PENDING = (
        "TasksPending",
        (_WAITING,),
        "Pods of an array are being created, and none has started.",
        "The message counts the tasks; look at the pods.",
    )
    IMAGE_PULL_BACK_OFF = (
        "ImagePullBackOff",
        (_WAITING, _ATTEMPT),
        "The image can't be pulled.",
        "Check the image's name and imagePullSecrets.",
    )
    INVALID_IMAGE_NAME = (
        "InvalidImageName",
        (_WAITING, _ATTEMPT),
        "The image's name is malformed.",
        "Correct the image's name in a new job.",
    )
    RESUMED = "Resumed", (_WAITING,), "The job was resumed and goes on."
    SUSPENDED = (
        "Suspended",
        (_WAITING, _ATTEMPT),
        "spec.suspend is true.",
        "Set it to false: podwright resume.",
    )
    INTERNAL_ERROR = (
        "InternalError",
        (_WAITING,),
        "Podwright could not process this job; the message says more. Other jobs aren't affected.",
        "Please report it.",
    )

    # A job that runs, is tried again or is being stopped.
    POD_RUNNING = "PodRunning", (_ACTIVE,), "The pod runs; the message names the node."
    TASKS_RUNNING = "TasksRunning", (_ACTIVE,), "Pods of an array run; the message counts the tasks."
    TASKS_FAILED = (
        "TasksFailed",
        (_ACTIVE, _ENDED),
        "Retrying: failed tasks wait for their next attempt. Failed or DeadLettered: all tasks are over, and some failed for good.",
        "status.array.failedIndexes names them.",
    )
    OUTCOME_DECIDED = (
        "OutcomeDecided",
        (_ACTIVE, _ATTEMPT),
        "How the array ends is decided, and its remaining pods are being stopped.",
    )

    # A job that ended.
    COMPLETED = "Completed", (_ENDED,), "The job succeeded."
    FAILURE_IGNORED = (
        "FailureIgnored",
        (_ENDED,),
        "It failed, and a rule with the action Ignore counts that as success.",
    )
    RETRIES_EXHAUSTED = (
        "RetriesExhausted",
        (_ENDED,),
        "retry.limit is used up; the last attempt's own reason is in status.attempts.",
        "Correct the cause, then podwright dlq redrive.",
    )
    PLATFORM_RETRIES_EXHAUSTED = (
        "PlatformRetriesExhausted",
        (_ENDED,),
        "retry.platformLimit is used up: evictions, lost nodes and the like.",
        "Correct the cause, then podwright dlq redrive.",
    )
    TIMEOUT_RETRIES_EXHAUSTED = (
        "TimeoutRetriesExhausted",
        (_ENDED,),
        "retry.timeoutLimit is used up.",
        "Allow more time in a new job, or podwright dlq redrive.",
    )
    SAME_FAILURE_ON_NODES = (
        "SameFailureOnNodes",
        (_ACTIVE, _ENDED, _ATTEMPT),
        "It failed in the same way on failurePolicy.sameFailureNodes different nodes.",
        "The job is at fault, not the nodes: correct it, then podwright dlq redrive.",
    )
    QUARANTINED = (
        "Quarantined",
        (_ACTIVE, _ENDED, _ATTEMPT),
        "Its pods were lost with failurePolicy.quarantineAfter nodes: it may be what kills them.",
        "Find out what the pods do to their nodes before podwright dlq redrive.",
    )
    TOO_MANY_FAILED_TASKS = "TooManyFailedTasks", (_ENDED,), "More tasks failed than array.maxFailedTasks allows."
    SUCCESS_POLICY_UNREACHABLE = (
        "SuccessPolicyUnreachable",
        (_ENDED,),
        "So many tasks failed that array.successPolicy can't be met any more.",
    )
    SEQUENCE_BROKEN = "SequenceBroken", (_ENDED,), "A task of a sequential array failed for good."
    FAILURES_TOO_SCATTERED = (
        "FailuresTooScattered",
        (_ENDED,),
        "The failures of a large array are spread so widely that no status could list them.",
    )
    TASK_FAILED = (
        "TaskFailed",
        (_ENDED,),
        "A rule with the action Fail matched a task's failure; the message names both.",
    )
    INVALID_SPEC = (
        "InvalidSpec",
        (_ENDED,),
        "The spec can't be carried out; the message names the field and what is allowed.",
        "Create a corrected job.",
    )
    POD_REJECTED = (
        "PodRejected",
        (_WAITING, _ENDED),
        "The API server refuses the pod; the message is the server's. A policy's denial is asked again for a minute before it is final.",
        "Create a corrected job, or change the policy that the message names.",
    )
    TOTAL_TIMEOUT = "TotalTimeout", (_ACTIVE, _ENDED, _ATTEMPT), "timeouts.total is over."
    QUEUE_TIMEOUT = (
        "QueueTimeout",
        (_ENDED,),
        "It got no pod within timeouts.queue; the message says what it waited for.",
    )
    DEPENDENCY_FAILED = (
        "DependencyFailed",
        (_ENDED,),
        "A job that it depends on ended in another state than required. With otherwise: Skip the phase is Skipped.",
    )
    DEPENDENCY_MISMATCH = "DependencyMismatch", (_ENDED,), "tasks: NToN needs two arrays of the same size."
    DUPLICATE = (
        "Duplicate",
        (_ENDED,),
        "Skipped: another job has the same idempotencyKey; status.duplicateOf names it.",
    )
    MAY_HAVE_RUN = "MayHaveRun", (_ENDED,), "With AtMostOnce: its pod is gone or was never seen, and may have run."
    STOPPED_WHILE_RUNNING = (
        "StoppedWhileRunning",
        (_ENDED,),
        "With AtMostOnce: it was suspended while its pod was on a node.",
    )
    CANCELLED = "Cancelled", (_ACTIVE, _ENDED, _ATTEMPT), "spec.cancel was set."

    # An attempt; without retries its reason is also the job's.
    ERROR = (
        "Error",
        (_ATTEMPT,),
        "A container ended with an exit code other than 0.",
        "The message has the last lines of its log.",
    )
    OOM_KILLED = (
        "OOMKilled",
        (_ENDED, _ATTEMPT),
        "A container needed more memory than its limit.",
        "Raise the limit, or let failurePolicy.onOutOfMemory do so.",
    )
    START_ERROR = (
        "StartError",
        (_ATTEMPT,),
        "The container runtime could not start a container's command, often because the image doesn't have it.",
        "Check command and workingDir.",
    )
    ATTEMPT_TIMEOUT = "AttemptTimeout", (_ATTEMPT,), "It ran longer than timeouts.attempt."
    START_TIMEOUT = "StartTimeout", (_ATTEMPT,), "Its containers didn't all run within timeouts.start."
    PROGRESS_TIMEOUT = "ProgressTimeout", (_ATTEMPT,), "It showed no progress for timeouts.progress."
    TASK_TIMEOUT = "TaskTimeout", (_ATTEMPT,), "A task of a pack ran longer than timeouts.task."
    INCOMPLETE_REPORT = (
        "IncompleteReport",
        (_ATTEMPT,),
        "A pack ended with exit code 0, but its report doesn't say that all its tasks succeeded.",
    )
    EVICTED = (
        "Evicted",
        (_ATTEMPT,),
        "The node evicted the pod, for its own lack of resources or because the pod exceeded its storage limit; the message says which.",
    )
    POD_LOST = "PodLost", (_ATTEMPT,), "Its pod disappeared from the API server and may have run."
    DELETED_BEFORE_START = "DeletedBeforeStart", (_ATTEMPT,), "Somebody deleted its pod before it ran."
    DELETED_WHILE_RUNNING = "DeletedWhileRunning", (_ATTEMPT,), "Somebody deleted its pod while it ran."
    NAME_COLLISION = (
        "NameCollision",
        (_ATTEMPT,),
        "A pod that isn't this job's has the name; the next attempt uses another one.",
    )
    PREEMPTION_BY_SCHEDULER = "PreemptionByScheduler", (_ATTEMPT,), "A pod of higher priority took its place."
    EVICTION_BY_EVICTION_API = "EvictionByEvictionAPI", (_ATTEMPT,), "It was evicted, for example by kubectl drain."
    DELETION_BY_TAINT_MANAGER = (
        "DeletionByTaintManager",
        (_ATTEMPT,),
        "Its node was tainted, for example because it went silent.",
    )
    DELETION_BY_POD_GC = "DeletionByPodGC", (_ATTEMPT,), "Its node no longer exists."
    TERMINATION_BY_KUBELET = "TerminationByKubelet", (_ATTEMPT,), "Its node lacked resources or was shutting down."
    NODE_LOST = "NodeLost", (_ATTEMPT,), "Its node went down with it."
    NODE_SHUTDOWN = "NodeShutdown", (_ATTEMPT,), "Its node refused it while shutting down."
    SHUTDOWN = "Shutdown", (_ATTEMPT,), "Its node was shutting down (older kubelets)."
    TERMINATED = "Terminated", (_ATTEMPT,), "Its node was shut down while it ran."
    PREEMPTING = "Preempting", (_ATTEMPT,), "Its node needed the room for a critical pod."
    NODE_AFFINITY = "NodeAffinity", (_ATTEMPT,), "Its node no longer fits its node selector or affinity."
    UNEXPECTED_ADMISSION_ERROR = (
        "UnexpectedAdmissionError",
        (_ATTEMPT,),
        "Its node could not provide what it asked for, such as a device.",
    )
    OUT_OF_CPU = "OutOfcpu", (_ATTEMPT,), "Its node had too little CPU left."
    OUT_OF_MEMORY = "OutOfmemory", (_ATTEMPT,), "Its node had too little memory left."
    OUT_OF_PODS = "OutOfpods", (_ATTEMPT,), "Its node runs as many pods as it may."
    CONTAINER_STATUS_UNKNOWN = (
        "ContainerStatusUnknown",
        (_ATTEMPT,),
        "Its node can't tell how the container ended.",
    )


def listed(*subjects: Subject) -> str:
    """Return the reasons of these subjects with what they mean, as a text for `kubectl explain`."""
    chosen = (reason for reason in Reason if not set(subjects).isdisjoint(reason.subjects))
    return " ".join(f"{reason} ({reason.meaning.removesuffix('.')})," for reason in chosen).removesuffix(",") + "."
