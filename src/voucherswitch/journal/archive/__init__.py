"""What left the journal for good: Parquet files, and a manifest of them in the database (decision 0023)."""
