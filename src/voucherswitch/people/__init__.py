"""Operators: who they are, what each may do, what two of them must agree on, and what all of them did."""
