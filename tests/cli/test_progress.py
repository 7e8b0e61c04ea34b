"""The progress that long commands show on standard error."""

import io
import itertools

import pytest

from scimsvc.cli.progress import Progress


class Clock:
    """Seconds that pass only when a test says so."""

    now = 100.0

    def __call__(self):
        return self.now


class Terminal(io.StringIO):
    def isatty(self):
        return True


def worked(stream, steps, total, seconds, **options):
    clock = Clock()
    with Progress("indexing", total, stream=stream, clock=clock, **options) as progress:
        for _ in range(steps):
            clock.now += seconds
            progress.advance()
    return stream.getvalue()


def test_short_work_shows_nothing():
    assert worked(Terminal(), 9, 9, 0.1) == ""
    assert worked(io.StringIO(), 9, 9, 1.0) == ""


def test_a_terminal_has_one_line_that_is_updated_in_place_and_ended():
    text = worked(Terminal(), 6, 6, 1.0)
    assert text.count("\n") == 1
    assert text.endswith("\n")
    assert text.split("\r")[-1].rstrip() == "indexing: 6 of 6 accounts (100 %)"
    assert "indexing: 4 of 6 accounts (66 %), about 2 s left" in text


def test_a_shorter_line_leaves_nothing_of_a_longer_one():
    lines = worked(Terminal(), 300, 300, 1.0).rstrip("\n").split("\r")[1:]
    for before, after in itertools.pairwise(lines):
        assert len(after) >= len(before.rstrip())


def test_a_terminal_is_updated_five_times_a_second_at_most():
    assert worked(Terminal(), 1000, 1000, 0.01).count("\r") <= 51


def test_elsewhere_a_line_comes_every_ten_seconds():
    lines = worked(io.StringIO(), 35, 35, 1.0).splitlines()
    assert lines == [
        "indexing: 10 of 35 accounts (28 %), about 25 s left",
        "indexing: 20 of 35 accounts (57 %), about 15 s left",
        "indexing: 30 of 35 accounts (85 %), about 5 s left",
    ]


def test_long_work_is_estimated_in_minutes_and_large_numbers_have_separators():
    line = worked(io.StringIO(), 10, 20_052, 1.0).strip()
    assert line == "indexing: 10 of 20,052 accounts (0 %), about 334 min left"


def test_what_an_earlier_run_did_counts_as_done_but_not_as_fast():
    line = worked(io.StringIO(), 10, 100, 1.0, done=80).strip()
    assert line == "indexing: 90 of 100 accounts (90 %), about 10 s left"


def test_work_without_a_known_end_shows_what_is_done():
    assert worked(io.StringIO(), 10, None, 1.0, unit="resources").strip() == "indexing: 10 resources"


def test_an_exception_ends_the_line_and_leaves_the_count():
    clock, stream = Clock(), Terminal()
    progress = Progress("indexing", 9, stream=stream, clock=clock)

    def interrupted():
        with progress:
            for number in progress.over(range(9)):
                clock.now += 1
                if number == 5:
                    raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert stream.getvalue().endswith("\n")
    assert progress.count == 5


def test_items_are_counted_when_they_are_done():
    progress = Progress("reading", stream=io.StringIO())
    counts = [progress.count for _ in progress.over("abc")]
    assert counts == [0, 1, 2]
    assert progress.count == 3
