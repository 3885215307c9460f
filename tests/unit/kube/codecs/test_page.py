from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.core.model.job import JobView
from podwright.core.model.pod import PodView
from podwright.kube.codecs.answer import decode_job, decode_metadata, decode_pod, decode_version
from podwright.kube.codecs.page import JOBS, PODS, EventType, Undecodable
from podwright.kube.errors import DecodeError
from tests.unit.kube.objects import (
    T0_SECONDS,
    bookmark_json,
    dumps,
    event_json,
    job_json,
    list_json,
    nested,
    pod_json,
    status_json,
)

POISON = job_json(name="poison", status={"phase": "Dreaming"})
DEEP_JOB = dumps(job_json(name="deep", spec={"template": {"spec": "DEEP"}})).replace(b'"DEEP"', nested(9000))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("ADDED", EventType.CHANGED), ("MODIFIED", EventType.CHANGED), ("DELETED", EventType.DELETED)],
)
def test_events(kind: str, expected: EventType) -> None:
    event = PODS.event(dumps(event_json(kind, pod_json(name="job-x-0"))))
    assert (event.type, event.resource_version) == (expected, 7)
    assert isinstance(event.item, PodView)
    assert event.item.name == "job-x-0"


@pytest.mark.parametrize("poisoned", [pytest.param([], id="usual"), pytest.param([POISON], id="beside a poisoned one")])
def test_s22_a_page_pauses_after_each_object(poisoned: list[dict[str, Any]]) -> None:
    jobs = [job_json(name=f"job-{number}") for number in range(20)] + poisoned
    pauses = sum(1 for _ in JOBS.page_in_steps(dumps(list_json(jobs))))
    assert pauses >= len(jobs)


@pytest.mark.parametrize(("kind", "expected"), [("MODIFIED", EventType.CHANGED), ("DELETED", EventType.DELETED)])
def test_poisoned_events(kind: str, expected: EventType) -> None:
    event = JOBS.event(dumps(event_json(kind, POISON)))
    assert (event.type, event.resource_version) == (expected, 5)
    assert isinstance(event.item, Undecodable)
    assert event.item.name == "poison"


def test_the_order_of_members_does_not_matter() -> None:
    event = JOBS.event(dumps({"object": POISON, "type": "ADDED"}))
    assert isinstance(event.item, Undecodable)


def test_bookmark() -> None:
    event = PODS.event(dumps(bookmark_json("123")))
    assert (event.type, event.resource_version, event.item) == (EventType.BOOKMARK, 123, None)


@pytest.mark.parametrize("code", [410, 500, 403, 0])
def test_error_event(code: int) -> None:
    event = PODS.event(dumps(event_json("ERROR", status_json(code, reason="Expired", message="too old"))))
    assert event.type is EventType.ERROR
    assert event.error is not None
    assert (event.error.code, event.error.message) == (code, "too old")


@pytest.mark.parametrize(
    "line",
    [
        b"garbage",
        b"{}",
        b"[]",
        b'{"type":"SURPRISE","object":{}}',
        b'{"type":"BOOKMARK","object":{}}',
        b'{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"x"}}}',
        dumps(event_json("ADDED", pod_json()))[:-20],
        dumps(event_json("ADDED", POISON))[:-20],
        b'{"type":"ADDED","object":"text"}',
    ],
)
def test_a_broken_stream_is_no_poisoned_object(line: bytes) -> None:
    with pytest.raises(DecodeError):
        PODS.event(line)
    with pytest.raises(DecodeError):
        JOBS.event(line)


def test_page() -> None:
    page = JOBS.page(dumps(list_json([job_json(name="a"), job_json(name="b")], token="next")))
    assert [item.name for item in page.items] == ["a", "b"]
    assert (page.resource_version, page.continue_token) == (100, "next")


@pytest.mark.parametrize("items", [[], None])
def test_empty_page(items: Any) -> None:
    page = PODS.page(dumps(list_json(items, kind="Pod")))
    assert (page.items, page.continue_token) == ([], "")


def test_one_poisoned_object_does_not_spoil_a_page() -> None:
    page = JOBS.page(dumps(list_json([job_json(name="a"), POISON, job_json(name="b")], token="next")))
    assert [(type(item), item.name) for item in page.items] == [(JobView, "a"), (Undecodable, "poison"), (JobView, "b")]
    assert (page.resource_version, page.continue_token) == (100, "next")


def test_nesting_deeper_than_the_decoder_follows() -> None:
    page = JOBS.page(dumps(list_json([job_json(name="a"), "DEEP"])).replace(b'"DEEP"', DEEP_JOB))
    event = JOBS.event(b'{"type":"ADDED","object":' + DEEP_JOB + b"}")
    assert [(type(item), item.name) for item in page.items] == [(JobView, "a"), (Undecodable, "deep")]
    assert isinstance(event.item, Undecodable)
    assert (event.item.name, event.item.uid, event.resource_version) == ("deep", "uid-of-deep", 5)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Bad Gateway</html>",
        b"{}",
        dumps(status_json(500)),
        dumps({**list_json([]), "metadata": {}}),
        dumps({**list_json([]), "metadata": None}),
        dumps({**list_json([]), "items": {}}),
        *(
            pytest.param(dumps(answer), id="S6 what lacks objects doesn't say that they are gone")
            for answer in (
                {"metadata": {"resourceVersion": "1"}, "items": []},
                {"metadata": {"resourceVersion": "1"}, "error": "maintenance"},
                {"kind": "BatchJobList", "metadata": {"resourceVersion": "1"}},
                list_json([], kind="Pod"),
                list_json([POISON], kind="Pod"),
            )
        ),
        dumps(list_json([job_json()]))[:-10],
        dumps(list_json([POISON]))[:-10],
    ],
)
def test_what_is_no_page(body: bytes) -> None:
    with pytest.raises(DecodeError):
        JOBS.page(body)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.data())
def test_no_value_anywhere_breaks_the_decoders(data: st.DataObject) -> None:
    """Whatever is in whatever place: the others of the page are decoded, and this one is either view or set aside."""
    make = data.draw(st.sampled_from([job_json, pod_json]))
    obj: Any = make(name="odd-0-0", status={"phase": "Failed", "conditions": [], "attempts": [], "startTime": None})
    place, key = obj, data.draw(st.sampled_from(["metadata", "spec", "status"]))
    while isinstance(place[key], dict) and place[key] and data.draw(st.booleans()):
        place = place[key]
        key = data.draw(st.sampled_from(sorted(place)))
    place[key] = data.draw(ANYTHING)
    decoder: Any = JOBS if make is job_json else PODS
    sound = make(name="sound-0-0")
    page = decoder.page(dumps(list_json([sound, obj], kind=decoder.kind)))
    event = decoder.event(dumps(event_json("ADDED", obj)))
    assert len(page.items) == 2
    assert page.items[0].name == "sound-0-0"
    assert isinstance(event.item, PodView | JobView | Undecodable)


def test_answers() -> None:
    assert decode_job(dumps(job_json())).name == "job"
    pod = decode_pod(dumps(pod_json()))
    assert pod is not None
    assert pod.attempt == 2
    assert decode_pod(dumps({**status_json(200), "status": "Success"})) is None


@pytest.mark.parametrize("body", [b"", b"{}", dumps(POISON), dumps(status_json(404)), DEEP_JOB])
def test_answers_without_a_job(body: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_job(body)


@pytest.mark.parametrize("body", [b"", b"{}", dumps({**pod_json(), "status": {"phase": "Odd"}})])
def test_answers_without_a_pod(body: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_pod(body)


def test_metadata() -> None:
    partial = {"kind": "PartialObjectMetadata", "metadata": pod_json()["metadata"]}
    for body in (dumps(partial), dumps(pod_json())):
        metadata = decode_metadata(body)
        assert (metadata.uid, metadata.resource_version) == ("uid-of-job-bd1b6ef549-2", 7)
        assert (metadata.namespace, metadata.name) == ("default", "job-bd1b6ef549-2")
        assert (metadata.created, metadata.generation) == (T0_SECONDS, 0)
    with pytest.raises(DecodeError):
        decode_metadata(dumps({"kind": "Status", "metadata": {}, "status": "Success"}))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b'{"kind": "Status", "metadata": {}, "status": "Success"}', id="a status"),
        pytest.param(b'{"kind": "PodList", "metadata": {"resourceVersion": "7"}, "items": []}', id="a list"),
        pytest.param(b'{"metadata": {"uid": "u", "resourceVersion": "x"}}', id="no number"),
    ],
)
def test_the_version_of_an_answer_is_that_of_an_object(body: bytes) -> None:
    assert decode_version(dumps({"metadata": pod_json()["metadata"]})) == int(pod_json()["metadata"]["resourceVersion"])
    with pytest.raises(DecodeError):
        decode_version(body)
