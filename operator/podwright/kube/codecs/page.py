"""From bytes of the API server to views: single objects, pages of lists, and lines of watches.

Used by the reflector for what flows by, and by the runtime for single answers. The fast way decodes straight into typed
structs; what it refuses is taken apart slowly, so that a poisonous object comes back as `Undecodable` among the others.
"""

import enum
import re
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

import msgspec

from podwright.core.constants.names import JOB_KIND
from podwright.core.model.job import JobView
from podwright.core.model.pod import PodView
from podwright.kube import poison
from podwright.kube.codecs.cancelled import cancelled_job_in_steps
from podwright.kube.codecs.job import BatchJob, job_view
from podwright.kube.codecs.pod import pod_view
from podwright.kube.codecs.pod_object import Pod
from podwright.kube.errors import DecodeError, StatusError, parse_status

Wire = TypeVar("Wire")
View = TypeVar("View")

# RecursionError: nesting beyond what the decoder follows, which the API server accepts in free-form fields.
FAILURES: Final = (msgspec.MsgspecError, ValueError, OverflowError, RecursionError)


_EVENT: Final = re.compile(rb'\{"type":"([A-Z]+)","object":')


class Undecodable(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An object that the API server accepted and we don't understand; `error` says where. Unknown parts are empty."""

    kind: str
    namespace: str
    name: str
    uid: str
    resource_version: int
    error: str


class EventType(enum.Enum):
    """What a line of a watch tells."""

    CHANGED = "CHANGED"  # added or modified: a level-triggered reader need not know which
    DELETED = "DELETED"
    BOOKMARK = "BOOKMARK"
    ERROR = "ERROR"


_OF_OBJECTS: Final = {"ADDED": EventType.CHANGED, "MODIFIED": EventType.CHANGED, "DELETED": EventType.DELETED}


class WatchEvent(msgspec.Struct, Generic[View], frozen=True, gc=False):
    """One line of a watch: `item` for changes and deletions, `error` for errors."""

    type: EventType
    resource_version: int
    item: View | Undecodable | None = None
    error: StatusError | None = None


class Page(msgspec.Struct, Generic[View], frozen=True, gc=False):
    """One page of a list; `continue_token` is empty on the last one."""

    items: list[View | Undecodable]
    resource_version: int
    continue_token: str


class _ListMetadata(msgspec.Struct, gc=False):
    resource_version: str = msgspec.field(name="resourceVersion")
    continue_token: str = msgspec.field(name="continue", default="")


class ObjectList(msgspec.Struct, Generic[Wire], gc=False):
    """All is required: objects that a list lacks count as gone, so what any other JSON says must not pass for one."""

    kind: str
    metadata: _ListMetadata
    items: list[Wire] | None


class _ListEnd(msgspec.Struct, gc=False):
    metadata: _ListMetadata


class _Event(msgspec.Struct, Generic[Wire], gc=False):
    type: str
    object: Wire


class ObjectDecoder(Generic[Wire, View]):
    """Decodes everything of one kind. Make one per kind; it keeps no state."""

    def __init__(
        self,
        *,
        kind: str,
        one: msgspec.json.Decoder[Wire],
        page: msgspec.json.Decoder[ObjectList[Wire]],
        event: msgspec.json.Decoder[_Event[Wire]],
        view: Callable[[Wire], View],
        resource_version: Callable[[View], int],
        in_part: Callable[[bytes], poison.Steps[View | None]] | None = None,
    ) -> None:
        """Decode by these. `in_part` makes a view of what can be read of an object that can't be read as a whole."""
        self.kind = kind
        self._list_kind = f"{kind}List"
        self._one = one
        self._page = page
        self._event = event
        self._view = view
        self._resource_version = resource_version
        self._in_part = in_part

    def item(self, data: bytes) -> View | Undecodable:
        """Decode one object.

        Raises:
            DecodeError: the text is not even a whole JSON object.
        """
        return poison.whole(self._item(data))

    def page(self, body: bytes) -> Page[View]:
        """Decode one page of a list.

        Raises:
            DecodeError: the answer is no list, or was cut off.
        """
        return poison.whole(self.page_in_steps(body))

    def continue_token(self, body: bytes) -> str:
        """Return the token of the page behind this one, without decoding its objects; "" if there is none, or it can't be told so."""
        try:
            return _LIST_END.decode(body).metadata.continue_token
        except FAILURES:
            return ""

    def event(self, line: bytes) -> WatchEvent[View]:
        """Decode one line of a watch.

        Raises:
            DecodeError: the line is not a whole event, so the stream is broken.
        """
        return self.usual_event(line) or poison.whole(self.unusual_event_in_steps(line))

    def page_in_steps(self, body: bytes) -> poison.Steps[Page[View]]:
        """Decode one page of a list, with pauses. Raises what `page` does."""
        try:
            listed = self._page.decode(body)
            self._check_list(listed.kind)
            items: list[View | Undecodable] = []
            for item in listed.items or ():
                items.append(self._view(item))
                yield
            return Page(
                items=items,
                resource_version=int(listed.metadata.resource_version),
                continue_token=listed.metadata.continue_token,
            )
        except FAILURES:
            pass
        return (yield from self._poisoned_page(body))

    def usual_event(self, line: bytes) -> WatchEvent[View] | None:
        """Decode a line of a watch that tells of an object which we understand; None for any other."""
        try:
            event = self._event.decode(line)
            kind = _OF_OBJECTS.get(event.type)
            if kind is not None:
                item = self._view(event.object)
                return WatchEvent(kind, self._resource_version(item), item)
        except FAILURES:
            pass
        return None

    def unusual_event_in_steps(self, line: bytes) -> poison.Steps[WatchEvent[View]]:
        """Decode any other line of a watch, with pauses. Raises what `event` does."""
        match = _EVENT.match(line)
        if match is not None and line.endswith(b"}}"):
            # The object is all the rest, however deep it is.
            kind, content = match[1].decode(), line[match.end() : -1]
        else:
            parts = yield from poison.members_in_steps(line, ("type", "object"))
            kind, content = poison.text_of(parts.get("type")), parts.get("object", b"{}")
        if kind == "ERROR":
            return WatchEvent(EventType.ERROR, 0, error=parse_status(0, content))
        if kind == "BOOKMARK":
            metadata = poison.members(content, ("metadata",)).get("metadata", b"{}")
            version = _number(poison.members(metadata, ("resourceVersion",)).get("resourceVersion"))
            return WatchEvent(EventType.BOOKMARK, version)
        if kind not in {"ADDED", "MODIFIED", "DELETED"}:
            raise DecodeError(f"a watch sent an event of the unknown type {kind!r}")
        item = yield from self._item(content)
        version = item.resource_version if isinstance(item, Undecodable) else self._resource_version(item)
        return WatchEvent(EventType.DELETED if kind == "DELETED" else EventType.CHANGED, version, item)

    def _item(self, data: bytes) -> poison.Steps[View | Undecodable]:
        try:
            return self._view(self._one.decode(data))
        except FAILURES as error:
            problem = str(error)
        if self._in_part is not None:
            view = yield from self._in_part(data)
            if view is not None:
                return view
        return (yield from self._undecodable(data, problem))

    def _poisoned_page(self, body: bytes) -> poison.Steps[Page[View]]:
        parts = yield from poison.members_in_steps(body, ("kind", "metadata", "items"))
        self._check_list(poison.text_of(parts.get("kind")))
        for member in ("metadata", "items"):
            if member not in parts:
                raise DecodeError(f"a list of {self.kind} objects has no {member}")
        metadata = poison.members(parts["metadata"], ("resourceVersion", "continue"))
        raw = parts["items"]
        elements = [] if raw == b"null" else (yield from poison.elements_in_steps(raw))
        items: list[View | Undecodable] = []
        for element in elements:
            items.append((yield from self._item(element)))
            yield
        return Page(
            items=items,
            resource_version=_number(metadata.get("resourceVersion")),
            continue_token=poison.text_of(metadata.get("continue")),
        )

    def _check_list(self, kind: str) -> None:
        if kind != self._list_kind:
            raise DecodeError(f"an answer of the kind {kind!r} is no {self._list_kind}")

    def _undecodable(self, data: bytes, problem: str) -> poison.Steps[Undecodable]:
        metadata = (yield from poison.members_in_steps(data, ("metadata",))).get("metadata", b"{}")
        if not metadata.startswith(b"{"):
            metadata = b"{}"
        identity = yield from poison.members_in_steps(metadata, ("namespace", "name", "uid", "resourceVersion"))
        version = poison.text_of(identity.get("resourceVersion"))
        return Undecodable(
            kind=self.kind,
            namespace=poison.text_of(identity.get("namespace")),
            name=poison.text_of(identity.get("name")),
            uid=poison.text_of(identity.get("uid")),
            resource_version=int(version) if version.isascii() and version.isdigit() else 0,
            error=problem,
        )


def _number(raw: bytes | None) -> int:
    text = poison.text_of(raw)
    if not (text.isascii() and text.isdigit()):
        raise DecodeError(f"{text!r} is no resourceVersion")
    return int(text)


def _pod_version(pod: PodView) -> int:
    return pod.resource_version


def _job_version(job: JobView) -> int:
    return job.resource_version


def object_decoder(kind: str, *, wire: type[Any], view: Callable[[Any], Any]) -> ObjectDecoder[Any, Any]:
    """Return a decoder of a kind, from the struct that its JSON has and the view that is made of it.

    The view has `resource_version`.
    """
    return ObjectDecoder(
        kind=kind,
        one=msgspec.json.Decoder(wire),
        page=msgspec.json.Decoder(ObjectList[wire]),  # type: ignore[valid-type]
        event=msgspec.json.Decoder(_Event[wire]),  # type: ignore[valid-type]
        view=view,
        resource_version=lambda seen: seen.resource_version,
    )


PODS: Final = ObjectDecoder(
    kind="Pod",
    one=msgspec.json.Decoder(Pod),
    page=msgspec.json.Decoder(ObjectList[Pod]),
    event=msgspec.json.Decoder(_Event[Pod]),
    view=pod_view,
    resource_version=_pod_version,
)
JOBS: Final = ObjectDecoder(
    kind=JOB_KIND,
    one=msgspec.json.Decoder(BatchJob),
    page=msgspec.json.Decoder(ObjectList[BatchJob]),
    event=msgspec.json.Decoder(_Event[BatchJob]),
    view=job_view,
    resource_version=_job_version,
    in_part=cancelled_job_in_steps,
)


_LIST_END: Final = msgspec.json.Decoder(_ListEnd)
