"""Reads pages of lists, whatever size tenants have given their objects. Used by what lists once; the reflector reads ahead as well."""

from collections.abc import Callable

from podwright.kube.codecs.requests import ApiRequest
from podwright.kube.errors import parse_status
from podwright.kube.paging import PageLimit
from podwright.kube.responses import AnswerTooLarge
from podwright.runtime.writer import Send


async def read_page(send: Send, request: Callable[..., ApiRequest], *, limit: PageLimit) -> bytes:
    """Return a page, which is asked for again with fewer objects while it is too large.

    `request` makes the request from a `limit`, which learns from each answer.

    Raises:
        StatusError: the API server refused.
        Unsent, Ambiguous: it did not answer.
    """
    while True:
        try:
            answer = await send(request(limit=limit))
        except AnswerTooLarge as error:
            limit.received(error.size)
            continue
        if answer.status != 200:
            raise parse_status(answer.status, answer.body)
        limit.received(len(answer.body))
        return answer.body
