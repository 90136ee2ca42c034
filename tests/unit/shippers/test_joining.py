"""Records of several lines: traces as they are written, and patterns of one's own."""

from __future__ import annotations

from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shippers.parse.multiline import TRACES, Joining, heads

EVERY = Joining(traces=tuple(TRACES))


def records(text: str, joining: Joining) -> list[str]:
    """The first line of each record, and how many it has."""
    lines = dedent(text).strip("\n").split("\n")
    begins = heads([line.encode() for line in lines], joining)
    return [f"{lines[begin]} +{end - begin - 1}" for begin, end in zip(begins, [*begins[1:], len(lines)], strict=True)]


PYTHON = """
2026-11-22 13:00:00 INFO app: started
2026-11-22 13:00:01 ERROR app: cannot pay
Traceback (most recent call last):
  File "pay.py", line 3, in pay
    charge()
ValueError: no card

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "pay.py", line 9, in <module>
    pay()
RuntimeError: cannot pay
2026-11-22 13:00:02 INFO app: stopped
Traceback (most recent call last):
  File "other.py", line 1, in <module>
KeyError: 'x'
Traceback (most recent call last):
  File "other.py", line 1, in <module>
KeyError: 'y'
done
"""

JAVA = """
2026-11-22 13:00:00,123 ERROR [main] c.e.App - failed
java.lang.IllegalStateException: closed
\tat c.e.App.run(App.java:12)
\tat c.e.App.main(App.java:3)
\tSuppressed: java.io.IOException: x
\t\tat c.e.App.close(App.java:40)
Caused by: java.io.IOException: broken
\tat c.e.Net.read(Net.java:7)
\t... 2 more
2026-11-22 13:00:01,000 INFO  [main] c.e.App - next
Exception in thread "main" java.lang.NullPointerException
\tat c.e.App.main(App.java:3)
bye
"""

GO = """
2026/11/22 13:00:00 listening
panic: runtime error: index out of range [3] with length 2

goroutine 1 [running]:
main.pick(...)
\t/src/main.go:8
main.main()
\t/src/main.go:4 +0x1d
created by main.start in goroutine 7
\t/src/main.go:2 +0x20
exit status 2
2026/11/22 13:00:01 listening
"""

NODE = """
ready on 3000
TypeError: Cannot read properties of undefined (reading 'id')
    at pay (/app/pay.js:3:11)
    at Server.<anonymous> (/app/app.js:9:3) {
  code: 'E1'
}
ready on 3000
/app/boom.js:1
throw new Error('boom')
"""


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "python", PYTHON,
            [
                "2026-11-22 13:00:00 INFO app: started +0", "2026-11-22 13:00:01 ERROR app: cannot pay +11",
                "2026-11-22 13:00:02 INFO app: stopped +0", "Traceback (most recent call last): +2",
                "Traceback (most recent call last): +2", "done +0",
            ],
        ),
        (
            "java", JAVA,
            [
                "2026-11-22 13:00:00,123 ERROR [main] c.e.App - failed +8",
                "2026-11-22 13:00:01,000 INFO  [main] c.e.App - next +0",
                'Exception in thread "main" java.lang.NullPointerException +1', "bye +0",
            ],
        ),
        (
            "go", GO,
            [
                "2026/11/22 13:00:00 listening +0",
                "panic: runtime error: index out of range [3] with length 2 +9",
                "2026/11/22 13:00:01 listening +0",
            ],
        ),
        (
            "node", NODE,
            [
                "ready on 3000 +0", "TypeError: Cannot read properties of undefined (reading 'id') +4",
                "ready on 3000 +0", "/app/boom.js:1 +0", "throw new Error('boom') +0",
            ],
        ),
    ],
)  # fmt: skip
def test_traces(name: str, text: str, expected: list[str]) -> None:
    assert records(text, Joining(traces=(name,))) == expected
    assert records(text, EVERY) == expected


def test_indented_lines_go_on_with_what_is_before_them() -> None:
    assert records("a\n  b\n\tc\nd\n", Joining()) == ["a +2", "d +0"]


@pytest.mark.parametrize(
    ("joining", "expected"),
    [
        (Joining(begins=r"^\d+ "), ["1 a +2", "2 b +0"]),
        (Joining(continues=r"^(and|\.\.\.)"), ["1 a +2", "2 b +0"]),
    ],
)
def test_patterns_of_ones_own(joining: Joining, expected: list[str]) -> None:
    assert records("1 a\nand more\n...\n2 b", joining) == expected


def test_what_stands_before_a_record_does_not_change_it() -> None:
    """A window begins with a record: read from there again, the rest must come out the same."""
    for text in (PYTHON, JAVA, GO, NODE):
        lines = [line.encode() for line in text.strip("\n").split("\n")]
        begins = heads(lines, EVERY)
        for first in begins:
            assert [first + index for index in heads(lines[first:], EVERY)] == [
                each for each in begins if each >= first
            ]


@given(
    st.lists(
        st.sampled_from([*PYTHON.encode().split(b"\n"), *JAVA.encode().split(b"\n"), b"", b" ", b"\xff"]), min_size=1
    ),
    st.sampled_from([EVERY, Joining(), Joining(begins="^T"), Joining(continues="^ ")]),
)
def test_any_lines_have_a_first_record(lines: list[bytes], joining: Joining) -> None:
    begins = heads(lines, joining)
    assert begins[0] == 0
    assert begins == sorted(set(begins))
