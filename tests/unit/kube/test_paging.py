import pytest

from podwright.kube.paging import FIRST_PAGE, MOST_BYTES, PAGE_BYTES, PageLimit, next_limit


@pytest.mark.parametrize(
    ("limit", "received", "expected"),
    [
        pytest.param(50, 100_000, 100, id="S22 small objects: it grows, by steps"),
        pytest.param(400, 3_000_000, 500, id="S22 small objects: the largest page"),
        pytest.param(50, 50 << 20, 4, id="S22 of objects of a megabyte four come at once"),
        pytest.param(1, 1 << 23, 1, id="S22 never less than one"),
        pytest.param(1, 1 << 16, 2, id="S22 one small object promises little of those behind it"),
        pytest.param(8, 1 << 19, 16, id="S22 it grows again"),
        pytest.param(500, 4 << 20, 500, id="S22 as large as it should be"),
        pytest.param(2, 0, 4, id="S22 an empty answer"),
        pytest.param(500, 16 << 20, 125, id="S22 a page that was given up"),
    ],
)
def test_pages_are_about_equally_large(limit: int, received: int, expected: int) -> None:
    assert next_limit(limit, received=received, most=500) == expected


@pytest.mark.parametrize("objects", [2, FIRST_PAGE, 500])
def test_s22_a_page_that_is_given_up_makes_the_next_one_smaller_until_there_is_no_limit(objects: int) -> None:
    limit = PageLimit()
    limit.objects = objects
    tries = 0
    while limit.most_bytes is not None:
        assert limit.most_bytes == MOST_BYTES > PAGE_BYTES
        limit.received(MOST_BYTES + 1)
        tries += 1
    assert limit.objects == 1
    assert tries <= 4
