"""Lists and watches: what the differential test cannot bring about on a real server at will."""

import asyncio
from typing import Any

from tests.support.rest import MERGE, Rest
from tests.support.simulator.api import Api
from tests.support.simulator.kinds import BATCH_JOB
from tests.support.simulator.manifests import JOBS, PODS, job, pod
from tests.support.simulator.server import Simulator


async def watched(rest: Rest, path: str, **query: str) -> list[tuple[str, str]]:
    """Return what a short watch tells, without bookmarks."""
    events = rest.watch(path, query={"timeoutSeconds": "0", **query})
    return [(event["type"], event["object"].get("metadata", {}).get("name", "")) async for event in events]


async def create(rest: Rest, path: str, body: Any) -> dict[str, Any]:
    answer = await rest.send("POST", path, body)
    assert answer.code == 201, answer
    return answer.body


async def test_pages_of_a_list_show_one_moment(rest: Rest) -> None:
    for name in "abcde":
        await create(rest, JOBS, job(name))
    first = await rest.send("GET", JOBS, query={"limit": "2"})
    assert first.body["metadata"]["remainingItemCount"] == 3
    await rest.send("DELETE", f"{JOBS}/d")
    await create(rest, JOBS, job("cc"))
    query = {"limit": "5", "continue": first.body["metadata"]["continue"]}
    second = await rest.send("GET", JOBS, query=query)
    assert [item["metadata"]["name"] for item in second.body["items"]] == ["c", "d", "e"]
    assert second.body["metadata"]["resourceVersion"] == first.body["metadata"]["resourceVersion"]
    assert second.body["metadata"]["continue"] == ""


async def test_pages_end_when_their_history_is_compacted(rest: Rest, api: Api) -> None:
    for name in "abc":
        await create(rest, JOBS, job(name))
    first = await rest.send("GET", JOBS, query={"limit": "1"})
    await create(rest, JOBS, job("d"))
    api.table(BATCH_JOB).compact()
    answer = await rest.send("GET", JOBS, query={"limit": "1", "continue": first.body["metadata"]["continue"]})
    assert (answer.code, answer.reason) == (410, "Expired")


async def test_watch_continues_from_a_version(rest: Rest) -> None:
    created = await create(rest, JOBS, job("a"))
    await create(rest, JOBS, job("b"))
    await rest.send("PATCH", f"{JOBS}/a", {"spec": {"suspend": True}}, content_type=MERGE)
    await rest.send("DELETE", f"{JOBS}/b")
    since = created["metadata"]["resourceVersion"]
    assert await watched(rest, JOBS, resourceVersion=since) == [("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "b")]
    assert await watched(rest, JOBS) == [("ADDED", "a")]


async def test_watch_with_a_selector_tells_what_enters_and_leaves_it(rest: Rest) -> None:
    since = (await create(rest, PODS, pod("before")))["metadata"]["resourceVersion"]
    await create(rest, PODS, pod("p"))
    await rest.send("PATCH", f"{PODS}/p", {"metadata": {"labels": {"in": "yes"}}}, content_type=MERGE)
    await rest.send("PATCH", f"{PODS}/p", {"metadata": {"labels": {"more": "x"}}}, content_type=MERGE)
    await rest.send("PATCH", f"{PODS}/p", {"metadata": {"labels": {"in": None}}}, content_type=MERGE)
    told = await watched(rest, PODS, resourceVersion=since, labelSelector="in")
    assert told == [("ADDED", "p"), ("MODIFIED", "p"), ("DELETED", "p")]


async def test_watch_from_compacted_history_gets_410_in_the_stream(rest: Rest, api: Api) -> None:
    await create(rest, JOBS, job("a"))
    await create(rest, JOBS, job("b"))
    api.table(BATCH_JOB).compact()
    events = [event async for event in rest.watch(JOBS, query={"resourceVersion": "2"})]
    assert [event["type"] for event in events] == ["ERROR"]
    assert (events[0]["object"]["code"], events[0]["object"]["reason"]) == (410, "Expired")


async def test_watch_from_compacted_history_may_get_410_as_status(rest: Rest, simulator: Simulator) -> None:
    simulator.expire_by_status = True
    await create(rest, JOBS, job("a"))
    simulator.api.table(BATCH_JOB).compact()
    answer = await rest.send("GET", JOBS, query={"watch": "true", "resourceVersion": "1"})
    assert (answer.code, answer.reason) == (410, "Expired")


async def test_running_watch_ends_when_its_place_is_compacted_away() -> None:
    api = Api(history=3)
    async with Simulator(api) as simulator, Rest(simulator_server(simulator)) as rest:
        since = (await create(rest, JOBS, job("a")))["metadata"]["resourceVersion"]
        for name in "bcdefg":
            await create(rest, JOBS, job(name))
        events = [event async for event in rest.watch(JOBS, query={"resourceVersion": since})]
        assert [event["type"] for event in events] == ["ERROR"]


def simulator_server(simulator: Simulator) -> Any:
    from tests.support.rest import Server

    return Server(simulator.url, "somebody")


async def test_bookmarks_carry_the_latest_version(rest: Rest) -> None:
    await create(rest, PODS, pod("of-another-kind"))
    latest = (await rest.send("GET", PODS)).body["metadata"]["resourceVersion"]
    async with asyncio.timeout(5):
        async for event in rest.watch(JOBS, query={"resourceVersion": "1", "allowWatchBookmarks": "true"}):
            assert event["type"] == "BOOKMARK"
            assert event["object"]["metadata"]["resourceVersion"] == latest
            break


async def test_watch_tells_events_as_they_come(rest: Rest) -> None:
    seen: list[str] = []

    async def follow() -> None:
        async for event in rest.watch(JOBS, query={"resourceVersion": "1"}):
            seen.append(event["object"]["metadata"]["name"])
            if len(seen) == 50:
                return

    following = asyncio.create_task(follow())
    names = [f"j{number:02}" for number in range(50)]
    for name in names:
        await create(rest, JOBS, job(name))
    await asyncio.wait_for(following, 5)
    assert seen == names


async def test_answers_may_be_asked_for_as_metadata_only(rest: Rest) -> None:
    accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
    answer = await rest.send("POST", PODS, pod("p"), accept=accept)
    assert answer.body["kind"] == "PartialObjectMetadata"
    assert set(answer.body) == {"kind", "apiVersion", "metadata"}


async def test_requests_are_counted_by_user_verb_and_resource(rest: Rest, simulator: Simulator) -> None:
    await create(rest, PODS, pod("p"))
    await rest.send("PATCH", f"{PODS}/p/status", {"status": {"phase": "Running"}}, content_type=MERGE)
    await rest.send("GET", f"{PODS}/p")
    await rest.send("GET", PODS)
    await rest.send("DELETE", f"{PODS}/nothing")
    counted = {(verb, resource): count for (_, verb, resource), count in simulator.requests.items()}
    assert counted == {
        ("create", "pods"): 1,
        ("patch", "pods/status"): 1,
        ("get", "pods"): 1,
        ("list", "pods"): 1,
        ("delete", "pods"): 1,
    }
    assert simulator.written("somebody") == 3
