"""The Lease of an idempotency key, as it is written and read."""

from typing import Any

import msgspec
import pytest

from podwright.core.commands import ClaimKey
from podwright.core.values.ref import JOB, Ref
from podwright.kube.errors import DecodeError
from podwright.kube.key_lease import (
    KeyLease,
    any_running_pod_of,
    claim_key,
    continue_token_in,
    decode_key_lease,
    decode_key_leases,
    delete_key_lease,
    is_empty_list,
    list_key_leases,
    replace_key_lease,
)

COMMAND = ClaimKey(
    of=Ref(JOB, "uid"), namespace="team", name="job", lease_name="podwright-key-1", window=90.5, at=1000.25
)
LEASE = KeyLease(
    name="podwright-key-1",
    uid="lease-uid",
    version="7",
    holder_uid="uid",
    job_namespace="team",
    job_name="job",
    window=90.5,
    claimed=1000.25,
    ended=2000.5,
)


def stored(body: bytes | None, **metadata: str) -> dict[str, Any]:
    """Return what the API server would store."""
    document: dict[str, Any] = msgspec.json.decode(body or b"")
    document["metadata"] |= {"uid": "lease-uid", "resourceVersion": "7", **metadata}
    return document


def test_a_claim_is_a_creation_and_reads_back() -> None:
    request = claim_key(COMMAND, namespace="system")
    assert (request.method, request.path) == ("POST", "/apis/coordination.k8s.io/v1/namespaces/system/leases")
    document = stored(request.body)
    assert document["metadata"]["labels"]["podwright.dev/idempotency-key"] == "claimed"
    assert "renewTime" not in document["spec"]
    assert decode_key_lease(msgspec.json.encode(document)) == msgspec.structs.replace(LEASE, ended=None)


def test_a_takeover_names_the_very_lease_that_was_judged() -> None:
    request = claim_key(msgspec.structs.replace(COMMAND, replaced_uid="old", replaced_version="3"), namespace="system")
    assert (request.method, request.path.rsplit("/", 1)[1]) == ("PUT", "podwright-key-1")
    metadata = msgspec.json.decode(request.body or b"")["metadata"]
    assert (metadata["uid"], metadata["resourceVersion"]) == ("old", "3")


def test_the_recorded_end_reads_back_and_a_deletion_names_the_version() -> None:
    assert decode_key_lease(replace_key_lease(LEASE, namespace="system").body or b"") == LEASE
    options = msgspec.json.decode(delete_key_lease(LEASE, namespace="system").body or b"")
    assert options["preconditions"] == {"uid": "lease-uid", "resourceVersion": "7"}


def test_a_page_is_read_without_what_is_damaged_in_it() -> None:
    good = replace_key_lease(LEASE, namespace="system").body or b""
    page = {"metadata": {"continue": "more"}, "items": [msgspec.Raw(good), {"metadata": {"name": "x"}}]}
    found = decode_key_leases(msgspec.json.encode(page))
    assert (found.leases, found.strange, found.continue_token) == ([LEASE], 1, "more")
    request = list_key_leases(namespace="system", limit=5, continue_token="more")
    assert request.query == {"labelSelector": "podwright.dev/idempotency-key", "limit": "5", "continue": "more"}


@pytest.mark.parametrize(
    "break_it",
    [
        lambda document: document["metadata"].pop("annotations"),
        lambda document: document["spec"].pop("holderIdentity"),
        *(
            lambda document, text=text: document["metadata"]["annotations"].update(
                {"podwright.dev/dedup-window-seconds": text}
            )
            for text in ("soon", "inf", "nan", "-1", "1e300")
        ),
        lambda document: document.pop("spec"),
    ],
)
def test_a_damaged_lease_is_no_guess(break_it: Any) -> None:
    document = stored(claim_key(COMMAND, namespace="system").body)
    break_it(document)
    with pytest.raises(DecodeError):
        decode_key_lease(msgspec.json.encode(document))


def test_small_answers() -> None:
    assert is_empty_list(b'{"kind":"PodList","metadata":{"resourceVersion":"7"},"items":[]}')
    assert not is_empty_list(b'{"kind":"PodList","metadata":{"resourceVersion":"7"},"items":[{}]}')
    assert continue_token_in(b'{"kind":"Status","metadata":{"continue":"on"},"code":410}') == "on"
    assert continue_token_in(b"gone") == ""
    query = any_running_pod_of(namespace="team", job_uid="uid").query or {}
    assert query["labelSelector"] == "podwright.dev/job-uid=uid"


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>",
        b'{"kind":"Status","metadata":{},"status":"Success"}',
        b'{"metadata":{},"error":"maintenance"}',
        b'{"metadata":{"resourceVersion":"7"},"items":[]}',
        b'{"kind":"PodList","metadata":{"resourceVersion":"7"}}',
        b'{"kind":"PodList","metadata":{"resourceVersion":""},"items":[]}',
        b'{"kind":"PodList","metadata":{},"items":[]}',
        b'{"kind":"LeaseList","metadata":{"resourceVersion":"7"},"items":[]}',
    ],
)
def test_s6_what_is_no_list_of_pods_frees_no_key(answer: bytes) -> None:
    """A proxy's 200 with any JSON must not count as "no pod of the key's holder runs"."""
    with pytest.raises(DecodeError):
        is_empty_list(answer)


def test_l16_a_window_of_decades_that_an_earlier_version_wrote_counts_as_the_longest() -> None:
    document = stored(claim_key(COMMAND, namespace="system").body)
    document["metadata"]["annotations"]["podwright.dev/dedup-window-seconds"] = "1439985600.000"
    assert decode_key_lease(msgspec.json.encode(document)).window == 30 * 86_400.0
