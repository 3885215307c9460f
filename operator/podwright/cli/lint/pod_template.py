"""Checks a pod template against the fields that the official client knows, since the CRD describes only some of them. Pure.

A newer API server may know more fields. So `lint` reports what is found here, while `submit` lets the server judge and takes
only the suggestion from here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from podwright.cli.jobs.quantity import quantity_problem
from podwright.cli.lint.schema import shown, unknown_field

_LIST = re.compile(r"[Ll]ist\[(.+)\]")
_MAP = re.compile(r"Dict\[str, (.+)\]|dict\(str, (.+)\)")
_AMOUNTS = ("limits", "requests", "sizeLimit", "divisor", "overhead")
"""Fields whose strings are quantities, which may be written as numbers."""


def template_problems(template: Any, path: str = "spec.template") -> Iterator[str]:
    """Return what is wrong with a pod template, each as `path: what`."""
    yield from _problems(template, "V1PodTemplateSpec", path, amount=False)


def _problems(value: Any, kind: str, path: str, *, amount: bool) -> Iterator[str]:
    if value is None or kind in ("object", "datetime"):
        return
    if match := _LIST.fullmatch(kind):
        if not isinstance(value, list):
            yield f"{path}: must be a list, not {shown(value)}"
            return
        for number, item in enumerate(value):
            yield from _problems(item, match[1], f"{path}[{number}]", amount=amount)
    elif match := _MAP.fullmatch(kind):
        if not isinstance(value, dict):
            yield f"{path}: must be an object, not {shown(value)}"
            return
        for name, item in value.items():
            yield from _problems(item, match[1] or match[2], f"{path}.{name}", amount=amount)
    elif kind in _SCALARS:
        yield from _scalar(value, kind, path, amount=amount)
    else:
        yield from _object(value, kind, path)


_SCALARS: Mapping[str, tuple[type, str]] = {
    "str": (str, "a string"),
    "int": (int, "an integer"),
    "bool": (bool, "true or false"),
    "float": (float, "a number"),
}


def _scalar(value: Any, kind: str, path: str, *, amount: bool) -> Iterator[str]:
    wanted, words = _SCALARS[kind]
    if amount:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            yield f"{path}: must be a quantity, not {shown(value)}"
        elif problem := quantity_problem(str(value)):
            yield f"{path}: {problem}"
    elif not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
        quoted = str(value).lower() if isinstance(value, bool) else str(value)
        hint = f'; put it in quotes: "{quoted}"' if wanted is str and isinstance(value, int | float) else ""
        yield f"{path}: must be {words}, not {shown(value)}{hint}"


def _object(value: Any, kind: str, path: str) -> Iterator[str]:
    from kubernetes.client import models

    model = getattr(models, kind, None)
    if model is None:
        return
    if not isinstance(value, dict):
        yield f"{path}: must be an object, not {shown(value)}"
        return
    types = {wire: model.openapi_types[name] for name, wire in model.attribute_map.items()}
    for name, member in value.items():
        if name in types:
            yield from _problems(member, types[name], f"{path}.{name}", amount=name in _AMOUNTS)
        else:
            yield unknown_field(path, str(name), types)
