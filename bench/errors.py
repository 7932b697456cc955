"""The one error of the benchmark: a sentence for the person who started it."""


class BenchError(Exception):
    """The benchmark cannot go on, or its figures would not be worth reading. The text is one line that says why."""
