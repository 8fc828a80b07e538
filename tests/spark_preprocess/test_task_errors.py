"""Errors of tasks, as the driver reads them."""

import pytest

from sentinel.errors import CorruptFileError, UnavailableError
from spark_preprocess.task_errors import TaskError, first_line, to_our_error

TRACEBACK = """
  An exception was thrown from the Python worker. Please see the stack trace below.
Traceback (most recent call last):
  File "mongo.py", line 7, in read_numbers
pymongo.errors.AutoReconnect: connection closed

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "fold.py", line 3, in read
sentinel.errors.%s: could not read: no answer; run this again

\tat org.apache.spark.api.python.BasePythonRunner$ReaderIterator.handlePythonException(PythonRunner.scala:645)
"""


@pytest.mark.parametrize("kind", [UnavailableError, CorruptFileError])
def test_an_error_of_ours_keeps_its_type_and_text(kind):
    error = to_our_error(TRACEBACK % kind.__name__)

    assert (kind, "could not read: no answer; run this again") == (type(error), str(error))


def test_another_error_is_a_bug_with_its_whole_traceback():
    error = to_our_error("Traceback (most recent call last):\nZeroDivisionError: division by zero\n")

    assert (TaskError, 1) == (type(error), error.exit_code)
    assert "ZeroDivisionError: division by zero" in str(error)


@pytest.mark.parametrize(("text", "expected"), [
    ("\n  Could not parse \n at x", "Could not parse"), (" ", "no reason given"),
    ("An error occurred while calling None.SparkContext.\n: java.io.IOException: no route\n\tat x",
     "java.io.IOException: no route")])
def test_first_line_that_says_something(text, expected):
    assert expected == first_line(text)
