"""The three kinds of patch, as pure functions from document and patch to a new document.

Inputs are never changed, and what a patch does not touch is shared between the old and the new document: comparing the
two stays cheap. Sources: RFC 7386 (merge), RFC 6902 (JSON patch), and the Kubernetes notes on strategic merge patches.
"""

from typing import Any, Final

from tests.support.simulator.errors import bad_request, unprocessable_patch

Document = dict[str, Any]

# The lists that a strategic merge patch merges by key, of the kinds that are served; all others are replaced.
_MERGE_KEYS: Final = {
    "ownerReferences": "uid",
    "conditions": "type",
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumes": "name",
    "imagePullSecrets": "name",
}
_MERGED_PRIMITIVES: Final = frozenset({"finalizers"})
_DELETE_FROM: Final = "$deleteFromPrimitiveList/"
_ORDER_OF: Final = "$setElementOrder/"


def merge_patch(document: Any, patch: Any) -> Any:
    """Apply an RFC 7386 merge patch: null removes, objects merge, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    result = dict(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def strategic_merge_patch(document: Document, patch: Document) -> Document:
    """Apply a strategic merge patch: as a merge patch, but lists with a merge key merge, and `$` directives are obeyed."""
    result = dict(document)
    for key, value in patch.items():
        if key.startswith(_DELETE_FROM):
            name = key.removeprefix(_DELETE_FROM)
            if name in result:
                result[name] = [item for item in result[name] if item not in value]
        elif key.startswith(_ORDER_OF) or key == "$patch":
            continue  # only an order is asked for, or the directive was obeyed one level up
        elif value is None:
            result.pop(key, None)
        else:
            result[key] = _strategic_value(key, result.get(key), value, removed=patch.get(_DELETE_FROM + key, ()))
    return result


def _strategic_value(key: str, current: Any, value: Any, *, removed: Any) -> Any:
    if isinstance(value, dict):
        if value.get("$patch") == "replace":
            return {name: item for name, item in value.items() if name != "$patch"}
        return strategic_merge_patch(current if isinstance(current, dict) else {}, value)
    if isinstance(value, list) and isinstance(current, list):
        if key in _MERGED_PRIMITIVES:
            kept = [item for item in current if item not in removed]
            return kept + [item for item in value if item not in kept]
        if key in _MERGE_KEYS:
            return _merge_by_key(_MERGE_KEYS[key], current, value)
    if isinstance(value, list) and key in _MERGE_KEYS:
        return [item for item in value if "$patch" not in item]
    return value


def _merge_by_key(merge_key: str, current: list[Document], patch: list[Document]) -> list[Document]:
    if any(item.get("$patch") == "replace" and len(item) == 1 for item in patch):
        return [item for item in patch if "$patch" not in item]
    result = list(current)
    for item in patch:
        if merge_key not in item:
            raise bad_request(f"map: {item} does not contain declared merge key: {merge_key}")
        place = next((i for i, known in enumerate(result) if known.get(merge_key) == item[merge_key]), None)
        if item.get("$patch") == "delete":
            if place is not None:
                del result[place]
        elif place is None:
            result.append(item)
        else:
            result[place] = strategic_merge_patch(result[place], item)
    return result


def json_patch(document: Document, operations: Any) -> Document:
    """Apply an RFC 6902 patch.

    Raises:
        ApiError: 400 if it is no list of operations, 422 if an operation cannot be applied or a test fails.
    """
    if not isinstance(operations, list) or not all(isinstance(operation, dict) for operation in operations):
        raise bad_request("error decoding patch: a JSON patch is a list of operations")
    result: Any = document
    for operation in operations:
        try:
            result = _operate(result, operation)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            raise unprocessable_patch() from error
    if not isinstance(result, dict):
        raise unprocessable_patch()
    return result


def _operate(document: Any, operation: Document) -> Any:
    path = _pointer(operation["path"])
    match operation["op"]:
        case "add":
            return _set(document, path, operation["value"], insert=True)
        case "replace":
            # As the real server's library: a missing key of an object that is there counts as replaceable.
            _get(document, path[:-1])
            return _set(document, path, operation["value"], insert=False)
        case "remove":
            return _remove(document, path)
        case "test":
            if _get(document, path) != operation.get("value"):
                raise ValueError(f"testing value {operation['path']} failed")
            return document
        case "copy":
            return _set(document, path, _get(document, _pointer(operation["from"])), insert=True)
        case "move":
            source = _pointer(operation["from"])
            return _set(_remove(document, source), path, _get(document, source), insert=True)
        case unknown:
            raise ValueError(f"unexpected kind: {unknown}")


def _pointer(text: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _get(document: Any, path: list[str]) -> Any:
    for part in path:
        document = document[int(part)] if isinstance(document, list) else document[part]
    return document


def _set(document: Any, path: list[str], value: Any, *, insert: bool) -> Any:
    if not path:
        return value
    head, rest = path[0], path[1:]
    if isinstance(document, list):
        items = list(document)
        place = len(items) if head == "-" else int(head)
        if rest:
            items[place] = _set(items[place], rest, value, insert=insert)
        elif insert:
            if place > len(items):
                raise IndexError(head)
            items.insert(place, value)
        else:
            items[place] = value
        return items
    result = dict(document)
    result[head] = _set(result[head], rest, value, insert=insert) if rest else value
    return result


def _remove(document: Any, path: list[str]) -> Any:
    head, rest = path[0], path[1:]
    if isinstance(document, list):
        items = list(document)
        if rest:
            items[int(head)] = _remove(items[int(head)], rest)
        else:
            del items[int(head)]
        return items
    result = dict(document)
    if rest:
        result[head] = _remove(result[head], rest)
    else:
        del result[head]
    return result
