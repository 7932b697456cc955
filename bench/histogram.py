"""Latencies in constant memory, read as percentiles: the log-linear buckets of HdrHistogram, in its smallest form.

A list of all latencies would be exact, but it grows with the run, in the process that measures.
Buckets are 1 µs wide up to 512 µs and never wider than 0.4 % of the value.
"""

from math import ceil

_FINE_BITS = 8
_FINE = 1 << _FINE_BITS
_VALUE_BITS = 36  # 19 hours in microseconds; what is above is counted in the last bucket
_BUCKETS = (_VALUE_BITS - _FINE_BITS + 1) * _FINE


class Histogram:
    """Counts of microsecond values."""

    __slots__ = ("_counts", "count", "maximum_us")

    def __init__(self) -> None:
        self._counts = [0] * _BUCKETS
        self.count = 0
        self.maximum_us = 0

    def record(self, value_us: int) -> None:
        """Count one value; a negative one (a clock set back) counts as 0."""
        value_us = max(value_us, 0)
        shift = max(value_us.bit_length() - _FINE_BITS - 1, 0)
        index = shift * _FINE + (value_us >> shift)
        self._counts[min(index, _BUCKETS - 1)] += 1
        self.count += 1
        self.maximum_us = max(self.maximum_us, value_us)

    def add(self, other: "Histogram") -> None:
        """Count all that another has counted."""
        self._counts = [one + more for one, more in zip(self._counts, other._counts, strict=True)]
        self.count += other.count
        self.maximum_us = max(self.maximum_us, other.maximum_us)

    def percentile_us(self, percent: float) -> int:
        """Return the top of the bucket that holds the wanted rank, so never less than the true percentile."""
        wanted = max(ceil(self.count * percent / 100), 1)
        seen = 0
        for index, count in enumerate(self._counts):
            seen += count
            if seen >= wanted:
                return min(_bucket_top(index), self.maximum_us)
        return 0

    def percentile_ms(self, percent: float) -> float:
        """Return a percentile in milliseconds."""
        return self.percentile_us(percent) / 1000


def _bucket_top(index: int) -> int:
    """Return the highest value that a bucket counts; rows of buckets above the first start in the middle."""
    shift = max(index // _FINE - 1, 0)
    return ((index - shift * _FINE + 1) << shift) - 1
