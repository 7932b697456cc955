"""What is sold, by whom it is asked for, and where it goes."""
