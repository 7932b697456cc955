"""Tests of the provider bluvoucher."""
